# SPDX-License-Identifier: Apache-2.0
"""A check that each room of ``native/`` uses only the rooms below it: ``tools/native-rooms.py [FOLDER]``.

The order is in ``native/README.md``. For every include that breaks it, and every breach of the rules common to all of
``native/``, it prints the file, the line and the rule. Exits with 1 if there is any.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The front of librknnrt.so, from the top: each folder uses only those after it.
FRONT = ("abi", "context", "tensors", "memory", "settings", "device", "file", "base")
# The headers of include/ that a room may read; common/ is for every room but these.
HEADERS = {
    "common": (),
    "engine": ("rknn_abi.h", "ez_rknn_engine.h", "ez_rknn_kernels.h"),
    "kernels": ("rknn_abi.h", "ez_rknn_engine.h", "ez_rknn_kernels.h"),
    "rknnrt": ("rknn_abi.h",),
    "devices": ("rknn_abi.h", "ez_rknn_simulator.h"),
}

INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')
NAMESPACE = re.compile(r"namespace (\w[\w:]*) \{")
CONSTANT = re.compile(r"\bconstexpr [^=(;]*\bk[A-Z]\w*")


def main(root: Path) -> int:
    """Print every broken rule and return the exit status."""
    found = [f"{path}:{line}: {rule}" for path in _sources(root) for line, rule in _broken_rules(root, path)]
    print("\n".join(found) if found else "native/: every room uses only the rooms below it")
    return 1 if found else 0


def _sources(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix in {".h", ".cpp", ".c"})


def _broken_rules(root: Path, path: Path) -> Iterator[tuple[int, str]]:
    room = _room_of(path.relative_to(root))
    text = path.read_text(encoding="utf-8")
    if room == ("include",):
        return
    if room[0] == "rknnrt" and room[1] not in FRONT:
        yield 1, f"it lies in no room of the front: {', '.join(FRONT)}"
        return
    if path.suffix == ".h" and text.count("#pragma once") != 1:
        yield 1, "a header that only C++ reads has one #pragma once, and no other guard"
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include and room[0] != "tests":
            rule = _why_not(root, room, include[1])
            if rule:
                yield number, rule
        namespace = NAMESPACE.match(line)
        if namespace and not _belongs(namespace[1], room):
            yield number, f"the namespace of {_name(room)} is {_namespace_of(room)}"
        if CONSTANT.search(line):
            yield number, "a constant has a name like a variable's, without a k"
        if room[0] == "rknnrt" and not include and "simulat" in line.lower():
            yield number, "the front does not know which device it has"


def _room_of(path: Path) -> tuple[str, ...]:
    """Return the room whose rules hold for a file: a folder of the front or the devices, else the outermost folder."""
    return path.parts[:2] if path.parts[0] in {"rknnrt", "devices"} else path.parts[:1]


def _why_not(root: Path, user: tuple[str, ...], included: str) -> str:
    """Return the reason why a room may not include that file; "" if it may."""
    if (root / "include" / included).exists():
        allowed = included in HEADERS.get(user[0], ())
        return "" if allowed else f"{_name(user)} may not use {included}"
    if not (root / included).exists():
        return f'there is no "{included}"; includes are written from native/'
    used = _room_of(Path(included))
    return "" if _may_use(user, used) else f"{_name(user)} may not use {_name(used)}{_reason(user, used)}"


def _may_use(user: tuple[str, ...], used: tuple[str, ...]) -> bool:
    if used in (user, ("common",)):
        return True
    if user[0] == "rknnrt" and used[0] == "rknnrt":
        return used[1] in FRONT[FRONT.index(user[1]) :]
    return user[0] == "devices" and used[0] == "rknnrt"


def _reason(user: tuple[str, ...], used: tuple[str, ...]) -> str:
    if user[0] == used[0] == "rknnrt":
        return f": the order is {', '.join(FRONT)}, each using only those after it"
    if user[0] == "rknnrt" and used[0] == "devices":
        return ": the front does not know which device it has"
    return ""


def _namespace_of(room: tuple[str, ...]) -> str:
    if room[0] == "common":
        return "ez_rknn"
    return f"ez_rknn::rknnrt::{room[1]}" if room[0] == "devices" else f"ez_rknn::{room[0]}"


def _belongs(namespace: str, room: tuple[str, ...]) -> bool:
    """Check if a namespace is the room's or nested in it."""
    return not namespace.startswith("ez") or f"{namespace}::".startswith(f"{_namespace_of(room)}::")


def _name(room: tuple[str, ...]) -> str:
    return "/".join(room)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "native"))
