# SPDX-License-Identifier: Apache-2.0
"""The check of the rooms of ``native/``, on small trees in which one rule is broken."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEADERS = {
    "include/rknn_abi.h": "#ifndef ABI",
    "include/ez_rknn_simulator.h": "#ifndef SIMULATOR",
    "common/export.h": "#pragma once",
    "engine/group.h": "#pragma once",
    "rknnrt/base/bytes.h": "#pragma once",
    "rknnrt/context/context.h": "#pragma once",
    "devices/simulated/board.h": "#pragma once",
    "devices/kernel/driver.h": "#pragma once",
}


def check(root: Path, native: Path, path: str, text: str) -> list[str]:
    """Return the lines that the check prints for a tree with that file, one for each broken rule, without its path."""
    for name, content in {**HEADERS, path: text}.items():
        file = native / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    script = root / "tools" / "native-rooms.py"
    process = subprocess.run([sys.executable, str(script), str(native)], capture_output=True, text=True, check=False)
    assert process.stderr == ""
    lines = process.stdout.splitlines()
    assert process.returncode == (1 if lines[0].startswith(str(native)) else 0)
    return [line.removeprefix(f"{native / path}:") for line in lines] if process.returncode else []


@pytest.mark.parametrize(
    ("path", "text", "broken"),
    [
        ("rknnrt/base/log.cpp", '#include "rknnrt/context/context.h"', "1: rknnrt/base may not use rknnrt/context: "),
        ("rknnrt/abi/a.cpp", '\n#include "devices/simulated/board.h"', "2: rknnrt/abi may not use devices/simulated: "),
        (
            "rknnrt/abi/a.cpp",
            '#include "ez_rknn_simulator.h"',
            "1: rknnrt/abi may not use ez_rknn_simulator.h",
        ),
        ("rknnrt/abi/a.cpp", "// On the simulated NPU.", "1: the front does not know which device it has"),
        ("rknnrt/a.cpp", "", "1: it lies in no room of the front: abi, "),
        (
            "devices/simulated/a.cpp",
            '#include "devices/kernel/driver.h"',
            "1: devices/simulated may not use ",
        ),
        ("engine/a.cpp", '#include "rknnrt/base/bytes.h"', "1: engine may not use rknnrt/base"),
        ("common/a.h", '#pragma once\n#include "engine/group.h"', "2: common may not use engine"),
        ("engine/a.cpp", '#include "group.h"', '1: there is no "group.h"'),
        ("engine/a.h", "#ifndef A\n#define A\n#endif", "1: a header that only C++ reads has one #pragma once"),
        ("devices/simulated/a.cpp", "namespace ez_rknn::rknnrt {", "1: the namespace of devices/simulated is "),
        ("engine/a.cpp", "constexpr int kMost = 1;", "1: a constant has a name like a variable's"),
    ],
)
def test_names_a_broken_rule_with_its_file_and_line(
    root: Path, tmp_path: Path, path: str, text: str, broken: str
) -> None:
    """A reviewer would have to notice it otherwise."""
    found = check(root, tmp_path / "native", path, text)
    assert len(found) == 1
    assert found[0].startswith(broken)


def test_a_room_may_use_rooms_below_it_and_tests_may_use_any(root: Path, tmp_path: Path) -> None:
    """The order of the rooms exists to allow it."""
    front = '#include "rknn_abi.h"\n#include "common/export.h"\n#include "rknnrt/base/bytes.h"\nnamespace '
    assert check(root, tmp_path / "front", "rknnrt/context/a.cpp", front + "ez_rknn::rknnrt {") == []
    device = '#include "ez_rknn_simulator.h"\n#include "rknnrt/context/context.h"\nnamespace '
    assert check(root, tmp_path / "device", "devices/simulated/a.cpp", device + "ez_rknn::rknnrt::simulated {") == []
    assert check(root, tmp_path / "tests", "tests/a.cpp", '#include "devices/simulated/board.h"') == []


def test_the_rooms_of_native_are_in_order(root: Path) -> None:
    """``make lint`` checks it too, but not everyone runs that."""
    script = root / "tools" / "native-rooms.py"
    process = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout
