# SPDX-License-Identifier: Apache-2.0
"""The conversation with the compiler's program, and what is left when it goes wrong: a stand-in says the lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ez_rknn_async
from ez_rknn_async import RknnError
from ez_rknn_async.converting import toolkit, toolkit_errors
from ez_rknn_async.converting.conversation import ToolkitError

from . import networks

StandIn = Callable[[str], str]


def convert(folder: Path, python: str) -> None:
    model = networks.save(networks.convolutions(), folder / "net.onnx")
    ez_rknn_async.convert(model, output=folder / "net.rknn", toolkit_python=python)


def results(folder: Path) -> list[str]:
    return sorted(
        path.name for path in folder.iterdir() if path.name.startswith((".net", "net")) and path.suffix != ".log"
    )


def test_an_error_of_the_compiler_names_node_and_operator(tmp_path: Path, stand_in: StandIn) -> None:
    """And the stage; its whole log is kept."""
    python = stand_in(
        "open(log, 'a').write('I fine\\n\\x1b[1;31mE\\x1b[0m \\x1b[1;31mbuild: Unsupport op: Frobnicate\\x1b[0m\\n')\n"
        "say(stage='build')\nsay(ok=False, stage='build', error='the toolkit returned -1')\n"
    )
    with pytest.raises(ToolkitError, match=r"failed to build.*Unsupport op: Frobnicate") as caught:
        convert(tmp_path, python)
    assert caught.value.operator == "Frobnicate"
    assert results(tmp_path) == ["net.onnx"]
    assert "Frobnicate" in (tmp_path / "net.log").read_text()


def test_an_operator_that_the_compiler_made_custom_is_an_error(tmp_path: Path, stand_in: StandIn) -> None:
    """It reports success, and says so in one line of its log."""
    python = stand_in(
        "open(log, 'a').write('No lowering found for: my_det, node type = Det, use CustomOperatorLower instead.\\n')\n"
        "open(request['export'], 'wb').write(b'RKNN')\nsay(ok=True)\n"
    )
    with pytest.raises(ToolkitError, match=r"no code for my_det \(Det\)") as caught:
        convert(tmp_path, python)
    assert (caught.value.node, caught.value.operator) == ("my_det", "Det")
    assert results(tmp_path) == ["net.onnx"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "no memory left"),
        ("sys.exit('no module named rknn')", "status 1: no module named rknn"),
        ("print('garbage'); print('[1, 2]')", "ended with status 0"),
        ("say(ok=True)", "wrote no file"),
    ],
)
def test_a_compiler_that_ends_badly_is_an_error(tmp_path: Path, stand_in: StandIn, code: str, message: str) -> None:
    """Whatever it does, nothing but its log is left."""
    with pytest.raises(ToolkitError, match=message):
        convert(tmp_path, stand_in(code))
    assert results(tmp_path) == ["net.onnx"]


def test_an_interrupted_build_leaves_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    """Neither a file, nor the compiler, which is in the middle of writing."""
    python = stand_in(
        "open(request['export'], 'wb').write(b'half')\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "say(stage='build')\nsignal.pause()\n"
    )
    model = networks.save(networks.convolutions(), tmp_path / "net.onnx")

    def interrupt(stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ez_rknn_async.convert(model, output=tmp_path / "net.rknn", toolkit_python=python, on_stage=interrupt)
    assert results(tmp_path) == ["net.onnx"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_terminated_command_leaves_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    """SIGTERM, as a CI job that takes too long gets it: no temporary folder, and no compiler that goes on."""
    python = stand_in("say(stage='build')\nopen(log, 'w').write('begun')\nsignal.pause()\n")
    model = networks.save(networks.convolutions(), tmp_path / "net.onnx")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [str(Path(sys.executable).with_name("ezrknn")), "convert", str(model), "--toolkit-python", python]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(temporary)}) as process:
        while not list(temporary.rglob("toolkit.log")):
            assert process.poll() is None
            os.sched_yield()
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    assert list(temporary.iterdir()) == []
    assert results(tmp_path) == ["net.onnx"]


def test_a_file_that_was_there_stays_until_the_new_one_is_complete(tmp_path: Path, stand_in: StandIn) -> None:
    """A failed conversion must not cost the last good file."""
    (tmp_path / "net.rknn").write_bytes(b"the last good one")
    with pytest.raises(ToolkitError):
        convert(tmp_path, stand_in("say(ok=False, stage='build', error='no')"))
    assert (tmp_path / "net.rknn").read_bytes() == b"the last good one"


def test_the_program_for_the_compilers_environment_imports_nothing_of_ours(root: Path) -> None:
    """That environment does not have our package."""
    program = root / "src/ez_rknn_async/converting/toolkit_program.py"
    request = '{"protocol": 1, "do": "hello"}\n{"protocol": 2, "do": "hello"}\n{"protocol": 1, "do": "dance"}\n'
    process = subprocess.run(
        [sys.executable, "-I", "-S", str(program), os.devnull],
        input=request,
        capture_output=True,
        text=True,
        timeout=60,
    )
    answers = process.stdout.splitlines()
    assert "rknn-toolkit2 is not installed here" in answers[0]
    assert "protocol 2 is asked for, this is 1" in answers[1]
    assert '"ok": false' in answers[2]


def test_no_compiler_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that a new user meets."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(toolkit.VARIABLE, raising=False)
    with pytest.raises(RknnError, match="ezrknn toolkit install"):
        convert(tmp_path, "")
    (tmp_path / "ez-rknn-async/toolkit/2.5.0/bin").mkdir(parents=True)
    assert toolkit.installed() == []  # an interrupted installation is none


def test_no_python_for_the_compiler_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to get one; names on PATH that do not run do not count."""
    shim = tmp_path / "python3.8"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setattr(toolkit, "_candidates", lambda number: [str(shim)])
    with pytest.raises(RknnError, match=r"3\.8 to 3\.12, and none of them was found.*apt install"):
        toolkit.suitable_python()


def test_the_reason_is_found_in_the_log() -> None:
    """The toolkit's own words, without its colours and progress bars."""
    log = (
        "I Loading: 0%\rI Loading: 100%\n\x1b[1;31mE\x1b[0m load_onnx: Catch exception when loading onnx model\n"
        "E load_onnx: The input shape is dynamic!\n"
    )
    log_of_exception = (
        "E build: Traceback (most recent call last):\nE rknn-toolkit2 version: 2.5.0\nValueError: Traceback "
        "(most recent "
        "call last):\nValueError: The DynamicQuantizeLinear('first') will cause the graph to be a dynamic graph!\n"
    )
    raised = toolkit_errors.explain(log_of_exception)
    assert (raised.node, raised.operator) == ("first", "DynamicQuantizeLinear")
    reason = toolkit_errors.explain(log)
    assert reason.text == "load_onnx: The input shape is dynamic!"
    assert reason.hint is not None
    assert "--shape" in reason.hint
