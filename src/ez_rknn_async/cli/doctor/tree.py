# SPDX-License-Identifier: Apache-2.0
"""The files of a machine, as the checks read them: this machine's own, or a recording of another one's.

A recording is a JSON object. Each path has an object that describes it: ``text`` for a file, ``denied: true`` for one
that this user may not read, or ``mode``, ``user`` and ``group`` for a device node. ``kernel`` and ``user`` stand beside
``files``. :class:`LiveTree` keeps what it was asked, so that any machine can be recorded by examining it.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import stat
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# A recording keeps this line of a library alone, which is enough for its version.
_VERSION_LINE = re.compile(rb"librknnrt version: [\x20-\x7e]{1,80}")


@dataclass(frozen=True)
class TreeNode:
    """A device node: its permissions as octal digits (``"0660"``), its owner and its group."""

    mode: str
    user: str
    group: str


@dataclass(frozen=True)
class User:
    """The user who examines the machine."""

    name: str
    groups: tuple[str, ...]


class Tree(ABC):
    """The interface of a machine for the checks."""

    kernel: str  # as ``uname -r`` prints it
    user: User

    @abstractmethod
    def read(self, path: str) -> str | None:
        """Return the content of a file; None if there is none that this user may read."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; none if there is no such folder."""

    @abstractmethod
    def node(self, path: str) -> TreeNode | None:
        """Return the device node at that path, if there is one."""

    @abstractmethod
    def library_version(self, path: str) -> str | None:
        """Return the version that the ``librknnrt.so`` at that path names, or ""; None if there is no library."""

    def may_open(self, node: TreeNode) -> bool:
        """Check if the user may read and write a device node."""
        bits = int(node.mode, 8)
        if self.user.name == "root" or bits & 0o006 == 0o006:
            return True
        if node.user == self.user.name:
            return bits & 0o600 == 0o600
        return node.group in self.user.groups and bits & 0o060 == 0o060


class LiveTree(Tree):
    """This machine."""

    def __init__(self) -> None:
        self.kernel = os.uname().release
        self.user = User(
            _name(pwd.getpwuid, os.geteuid()), tuple(_name(grp.getgrgid, g) for g in (os.getegid(), *os.getgroups()))
        )
        self._seen: dict[str, dict[str, Any]] = {}

    def read(self, path: str) -> str | None:
        """See :meth:`Tree.read`."""
        try:
            text = Path(path).read_bytes().decode("utf-8", "replace")
        except PermissionError:
            self._seen[path] = {"denied": True}
            return None
        except OSError:
            return None
        self._seen[path] = {"text": text}
        return text

    def names(self, folder: str) -> list[str]:
        """See :meth:`Tree.names`."""
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return []
        for name in names:
            self._seen.setdefault(f"{folder}/{name}", {})
        return names

    def node(self, path: str) -> TreeNode | None:
        """See :meth:`Tree.node`."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        if not stat.S_ISCHR(status.st_mode):
            return None
        node = TreeNode(
            f"{stat.S_IMODE(status.st_mode):04o}",
            _name(pwd.getpwuid, status.st_uid),
            _name(grp.getgrgid, status.st_gid),
        )
        self._seen[path] = asdict(node)
        return node

    def library_version(self, path: str) -> str | None:
        """See :meth:`Tree.library_version`."""
        try:
            found = _VERSION_LINE.search(Path(path).read_bytes())
        except OSError:
            return None
        text = found[0].decode("ascii") if found else ""
        self._seen[path] = {"text": text}
        return _version(text)

    def recording(self) -> str:
        """Return what was seen, as :class:`RecordedTree` reads it."""
        user = {"name": self.user.name, "groups": list(self.user.groups)}
        return json.dumps({"kernel": self.kernel, "user": user, "files": self._seen}, indent=1, sort_keys=True)


class RecordedTree(Tree):
    """Another machine, from a recording."""

    def __init__(self, recording: str) -> None:
        """Read a recording.

        Raises:
            ValueError: it is not a recording.
        """
        try:
            data = json.loads(recording)
            self.kernel = str(data["kernel"])
            self.user = User(data["user"]["name"], tuple(data["user"]["groups"]))
            self._files: dict[str, dict[str, Any]] = dict(data["files"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("this is no recording of a machine; `ezrknn doctor --record FILE` writes one") from error

    def read(self, path: str) -> str | None:
        """See :meth:`Tree.read`."""
        text = self._files.get(path, {}).get("text")
        return None if text is None else str(text)

    def names(self, folder: str) -> list[str]:
        """See :meth:`Tree.names`."""
        prefix = folder + "/"
        return sorted({path[len(prefix) :].split("/")[0] for path in self._files if path.startswith(prefix)})

    def node(self, path: str) -> TreeNode | None:
        """See :meth:`Tree.node`."""
        entry = self._files.get(path, {})
        return TreeNode(entry["mode"], entry["user"], entry["group"]) if "mode" in entry else None

    def library_version(self, path: str) -> str | None:
        """See :meth:`Tree.library_version`."""
        text = self.read(path)
        return None if text is None else _version(text)


def _version(line: str) -> str:
    return line.rpartition("librknnrt version: ")[2].strip()


def _name(look_up: Any, number: int) -> str:
    """Return the name of a user or a group; its number if it has none, as in containers."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
