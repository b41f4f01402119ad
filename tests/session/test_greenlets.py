# SPDX-License-Identifier: Apache-2.0
"""Programs whose threads are greenlets: gevent and eventlet. Each is a process, as the patch cannot be undone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("greenlet_program.py")


@pytest.fixture(params=["gevent", "eventlet"])
def framework(request: pytest.FixtureRequest) -> str:
    """Each installed framework."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


def printed_by(framework: str, case: str, data: Path) -> list[str]:
    """Return the output of the program, which must end in time."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), framework, case, str(data / "tiny_conv_int8.rknn")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("case", ["ways", "imported before", "others go on", "callbacks", "limits", "pool", "late"])
def test_greenlets_run_inferences_in_every_way(framework: str, case: str, data: Path) -> None:
    """Results are right, and in the promised order; see the cases of the program."""
    assert printed_by(framework, case, data) == ["fine"]


def test_greenlets_get_accepted_work_at_the_programs_end(framework: str, data: Path) -> None:
    """The program does not close its session."""
    delivered = [f"delivered {number} " for number in range(6)]
    assert sorted(printed_by(framework, "exit", data)) == sorted([*delivered, "fine"])
