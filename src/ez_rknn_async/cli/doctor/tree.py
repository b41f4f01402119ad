"""The files of a machine, as the checks read them: this machine's own, or a recording of another one's.

A recording is a JSON object. Each path has an object that says what is there: ``text`` for a file, ``denied: true`` for
one that this user may not read, or ``mode``, ``user`` and ``group`` for a device node. ``kernel`` and ``user`` stand
beside ``files``. :class:`LiveTree` keeps what it was asked, so that any machine can be recorded by examining it.
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

# Nobody needs the whole of a library to know its version.
_VERSION_LINE = re.compile(rb"librknnrt version: [\x20-\x7e]{1,80}")


@dataclass(frozen=True)
class TreeNode:
    """A device node: its permissions as octal digits (``"0660"``), its owner and its group."""

    mode: str
    user: str
    group: str


@dataclass(frozen=True)
class User:
    """Who examines the machine."""

    name: str
    groups: tuple[str, ...]


class Tree(ABC):
    """What the checks may ask of a machine."""

    kernel: str  # as ``uname -r`` says it
    user: User

    @abstractmethod
    def read(self, path: str) -> str | None:
        """The content of a file; None where there is none that this user may read."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """The names in a folder, sorted; none where there is no such folder."""

    @abstractmethod
    def node(self, path: str) -> TreeNode | None:
        """The device node of that path, if there is one."""

    @abstractmethod
    def library_version(self, path: str) -> str | None:
        """What the ``librknnrt.so`` of that path calls itself; None where there is none, "" where it does not say."""

    def may_open(self, node: TreeNode) -> bool:
        """Whether the user may read and write a device node."""
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
        """What was seen, as :class:`RecordedTree` reads it."""
        user = {"name": self.user.name, "groups": list(self.user.groups)}
        return json.dumps({"kernel": self.kernel, "user": user, "files": self._seen}, indent=1, sort_keys=True)


class RecordedTree(Tree):
    """Another machine, from a recording."""

    def __init__(self, recording: str) -> None:
        """Read a recording.

        Raises:
            ValueError: it is none.
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
    """The name of a user or a group; its number where it has none, as in containers."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
