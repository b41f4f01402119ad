# SPDX-License-Identifier: Apache-2.0
"""``ezrknn doctor``, on this machine and on recordings of boards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from ez_rknn_async._runtime.locate import ENVIRONMENT
from ez_rknn_async._runtime.machine import rockchip_soc
from ez_rknn_async.cli import main
from ez_rknn_async.cli.doctor import examine
from ez_rknn_async.cli.doctor.finding import Finding, Verdict
from ez_rknn_async.cli.doctor.tree import LiveTree, RecordedTree

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def board(data: Path) -> Callable[..., dict[str, Finding]]:
    """Examine a recorded board with the test's changes, and return the findings by subject."""

    def examined(name: str, change: Change = lambda files: None, **options: Any) -> dict[str, Finding]:
        recording = json.loads((data / "boards" / f"{name}.json").read_text(encoding="utf-8"))
        change(recording["files"])
        tree = RecordedTree(json.dumps(recording))
        return {finding.subject: finding for finding in examine(tree, options.get("env", {}), options.get("model"))}

    return examined


def problems(findings: dict[str, Finding]) -> list[str]:
    return [subject for subject, finding in findings.items() if finding.status is Verdict.PROBLEM]


def test_finds_nothing_to_do_on_a_healthy_board(board: Callable[..., dict[str, Finding]]) -> None:
    """Every line is OK, with the value found: board, driver, node, library, clocks in MHz, free SRAM."""
    findings = board("rk3588")
    assert {finding.status for finding in findings.values()} == {Verdict.OK}
    assert findings["SoC"].text == "RK3588, Orange Pi 5 Plus"
    assert "rknpu 0.9.8" in findings["driver"].text
    assert findings["device nodes"].text == "/dev/dri/card1"
    assert findings["NPU clock"].text == "1000 of 1000 MHz, governor rknpu_ondemand"
    assert findings["SRAM"].text == "956 of 956 KiB are free"


def test_names_the_group_to_join_for_a_closed_device_node(board: Callable[..., dict[str, Finding]]) -> None:
    """This is the commonest trouble on a fresh image, and the vendor's library only says that it found no device."""
    finding = board("rk3566")["device nodes"]
    assert finding.status is Verdict.PROBLEM
    assert "/dev/rknpu (0660 root:video)" in finding.text
    assert finding.advice.startswith("sudo usermod -aG video orangepi")


def test_render_nodes_do_not_count(
    board: Callable[..., dict[str, Finding]],
) -> None:
    """The library does not open them: a user in group render alone can open a node, yet cannot run models."""
    recording_group = {"/dev/dri/card1": {"mode": "0600", "user": "root", "group": "root"}}
    assert problems(board("rk3588", lambda files: files.update(recording_group))) == ["device nodes"]


def test_warns_of_low_clocks_with_the_command_that_raises_them(
    board: Callable[..., dict[str, Finding]],
) -> None:
    """Published frame rates are of boards at full clock."""
    findings = board("rk3576")
    assert findings["NPU clock"].status is Verdict.WARNING
    assert findings["NPU clock"].advice == "echo performance | sudo tee /sys/class/devfreq/27700000.npu/governor"
    assert board("rk3566")["CPU clock (policy0)"].status is Verdict.WARNING
    assert problems(findings) == []


def test_explains_the_mainline_driver(board: Callable[..., dict[str, Finding]]) -> None:
    """With rocket the NPU works, but not for this library; nothing else is worth saying."""
    findings = board("rk3588_mainline")
    assert problems(findings) == ["driver"]
    assert "rocket" in findings["driver"].text
    assert "vendor" in findings["driver"].advice


@pytest.mark.parametrize(
    ("remove", "subject"),
    [
        ("/sys/module/rknpu/version", None),
        ("/sys/bus/platform/drivers/RKNPU", "driver"),
        ("/sys/class/drm/card1", "device nodes"),
        ("/usr/lib/librknnrt.so", "librknnrt"),
    ],
)
def test_names_the_missing_part(remove: str, subject: str | None, board: Callable[..., dict[str, Finding]]) -> None:
    """Take one part away from a good board: only that is found, and a hidden version is no problem."""

    def change(files: dict[str, Any]) -> None:
        doomed = [remove] if subject != "driver" else [remove, "/sys/module/rknpu"]
        for path in list(files):
            if any(path == each or path.startswith(each + "/") for each in doomed):
                del files[path]

    assert problems(board("rk3588", change)) == ([subject] if subject else [])


def test_finds_a_disabled_npu_in_the_device_tree(board: Callable[..., dict[str, Finding]]) -> None:
    """Several vendors ship images with the node disabled."""
    disabled = {"/proc/device-tree/npu@fdab0000/status": {"text": "disabled\0"}}
    assert "device tree" in problems(board("rk3588", lambda files: files.update(disabled)))


@pytest.mark.parametrize(("version", "status"), [("0.6.4", Verdict.PROBLEM), ("0.8.2", Verdict.WARNING)])
def test_reports_old_drivers(version: str, status: Verdict, board: Callable[..., dict[str, Finding]]) -> None:
    """The library refuses drivers older than 0.7.0, and complains up to 0.8.7."""
    old = {"/sys/module/rknpu/version": {"text": version + "\n"}}
    assert board("rk3588", lambda files: files.update(old))["driver"].status is status


def test_warns_of_layers_that_were_reported_to_fail_on_boards(
    board: Callable[..., dict[str, Finding]], data: Path
) -> None:
    """The file is good and the board is healthy; only the public record says that this kind of layer failed."""
    finding = board("rk3588", model=str(data / "last_state_fp16.rknn"))["reported"]
    assert finding.status is Verdict.WARNING
    assert "'exLSTM:lstm0'" in finding.text
    assert "airockchip/rknn-toolkit2#" in finding.text
    assert finding.advice
    assert "reported" not in board("rk3588", model=str(data / "residual_int8.rknn"))


def test_reports_a_model_for_another_soc_or_from_a_newer_toolkit(
    board: Callable[..., dict[str, Finding]], root: Path, data: Path
) -> None:
    """The committed model is for the RK3588, from toolkit 2.5."""
    model = str(root / "examples" / "digits" / "digits_i8.rknn")
    assert board("rk3588", model=model)["model"].status is Verdict.WARNING
    newer = {"/usr/lib/librknnrt.so": {"text": "librknnrt version: 2.5.0"}}
    assert board("rk3588", lambda files: files.update(newer), model=model)["model"].status is Verdict.OK
    wrong = board("rk3576", model=model)["model"]
    assert wrong.status is Verdict.PROBLEM
    assert wrong.text.endswith("compiled for rk3588, but this is rk3576")
    assert wrong.advice == "compile it again with target_platform='rk3576'"
    assert board("rk3588", model=str(data / "README.md"))["model"].status is Verdict.PROBLEM


def test_warns_of_an_environment_that_asks_for_the_simulated_npu(board: Callable[..., dict[str, Finding]]) -> None:
    """The variable is easily forgotten in a shell's start-up file."""
    assert board("rk3588", env={ENVIRONMENT[0]: "simulator"})["librknnrt"].status is Verdict.WARNING


def test_reports_a_missing_library_named_by_the_environment(
    board: Callable[..., dict[str, Finding]], tmp_path: Path
) -> None:
    """Opening a session would fail, with an NPU and without."""
    env = {ENVIRONMENT[1]: "/opt/librknnrt.so"}
    findings = [board("rk3588", env=env)["librknnrt"], *examine(LiveTree(), env)]
    said = [finding for finding in findings if finding.subject == "librknnrt"]
    assert len(said) == 2
    for finding in said:
        assert finding.status is Verdict.PROBLEM
        assert f"{ENVIRONMENT[1]} names /opt/librknnrt.so" in finding.text
    library = tmp_path / "librknnrt.so"
    library.write_bytes(b"librknnrt version: 2.4.2")
    named = {f.subject: f.status for f in examine(LiveTree(), {ENVIRONMENT[0]: str(library)})}
    assert named["librknnrt"] is Verdict.OK


@pytest.mark.skipif(rockchip_soc() is not None, reason="this machine has an NPU")
def test_says_that_a_machine_without_an_npu_can_simulate_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The exit status is 0, as there is nothing to repair; a recording of the machine gives the same report."""
    recording = tmp_path / "machine.json"
    assert main(["doctor", "--json", "--record", str(recording)]) == 0
    first = capsys.readouterr().out
    assert [finding["status"] for finding in json.loads(first)] == ["OK", "OK"]
    assert "no Rockchip NPU" in first
    assert "ready" in first
    assert main(["doctor", "--json", "--tree", str(recording)]) == 0
    # The recorded machine does not tell if the simulated NPU works.
    assert json.loads(capsys.readouterr().out) == json.loads(first)[:1]


def test_the_exit_status_is_1_if_there_is_a_problem(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts rely on it; the advice stands under its line."""
    for name, status, verdict in (
        ("rk3588", 0, "Ready."),
        ("rk3576", 0, "Ready, with 2 warnings."),
        ("rk3566", 1, "Not ready: 1 problem and 3 warnings. Each -> says what to do."),
    ):
        assert main(["doctor", "--tree", str(data / "boards" / f"{name}.json")]) == status
        output = capsys.readouterr().out
        assert output.splitlines()[-1] == verdict
    assert "-> sudo usermod" in output


def test_rejects_a_file_that_is_not_a_recording(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such a file is given by mistake."""
    assert main(["doctor", "--tree", str(data / "README.md")]) == 1
    assert "no recording" in capsys.readouterr().err


def test_reads_this_machine(tmp_path: Path) -> None:
    """It has device nodes with owner and mode, a library with its version amid its bytes, and unreadable files."""
    tree = LiveTree()
    null = tree.node("/dev/null")
    assert null is not None
    assert tree.may_open(null)
    assert tree.node("/dev") is None
    assert tree.read(str(tmp_path / "nothing")) is None
    assert tree.names(str(tmp_path / "nothing")) == []
    library = tmp_path / "librknnrt.so"
    library.write_bytes(b"\x7fELF\0\xff" * 99 + b"librknnrt version: 2.3.2 (abc@2025)\0more")
    assert tree.library_version(str(library)) == "2.3.2 (abc@2025)"
    library.write_bytes(b"\x7fELF")
    assert tree.library_version(str(library)) == ""
    assert RecordedTree(tree.recording()).library_version(str(library)) == ""
