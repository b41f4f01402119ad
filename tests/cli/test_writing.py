# SPDX-License-Identifier: Apache-2.0
"""Files and output that cannot be written: one line that says why, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from ez_rknn_async import RknnError
from ez_rknn_async._host.files import published
from ez_rknn_async.cli import main

SIMULATOR = ["--runtime-library", "simulator"]


def ezrknn(*arguments: str, **more: object) -> tuple[int, list[str]]:
    """Run the command in a process of its own; return its status and the lines of its standard error."""
    program = "from ez_rknn_async.cli import main; raise SystemExit(main())"
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, timeout=60, check=False, **more
    )
    return done.returncode, done.stderr.decode().splitlines()


def test_a_file_is_published_whole_or_not_at_all(tmp_path: Path) -> None:
    """A former one stays until the new one is complete."""
    file = tmp_path / "figures.json"
    file.write_text("former")

    def write_half() -> None:
        with published(file) as made:
            made.write_text("half")
            raise OSError(28, os.strerror(28))

    with pytest.raises(RknnError, match=r"figures.json cannot be written: No space left"):
        write_half()
    assert file.read_text() == "former"
    assert os.listdir(tmp_path) == ["figures.json"]
    with published(file) as made:
        made.write_text("whole")
    assert file.read_text() == "whole"
    assert os.listdir(tmp_path) == ["figures.json"]


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    """What is written goes through them; a name may be as long as names can be."""
    (tmp_path / "link").symlink_to("n" * 255)
    with published(tmp_path / "link") as made:
        made.write_text("whole")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / ("n" * 255)).read_text() == "whole"
    words = "/dev/full cannot be written: No space left on device"
    with pytest.raises(RknnError, match=words), published(Path("/dev/full")) as made:
        made.write_text("whole")


def test_an_output_that_does_not_fit_leaves_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk numpy says how much it wrote, and nothing else."""

    def save(file: IO[bytes], array: object) -> None:
        file.write(b"half")
        raise OSError("2048 requested and 992 written")

    monkeypatch.setattr("numpy.save", save)
    assert main(["run", str(data / "tiny_conv_int8.rknn"), *SIMULATOR, "--output-dir", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("y.npy cannot be written: 2048 requested and 992 written; is the disk full?")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("arguments", [["info", "{model}"], ["info", "{model}", "--json"], ["completion", "bash"]])
def test_output_that_cannot_be_written_is_said_once(data: Path, arguments: list[str]) -> None:
    """With a status that is not 0; where nobody wants to see any, there is none to write."""
    given = [argument.format(model=data / "tiny_conv_int8.rknn") for argument in arguments]
    with open("/dev/full", "wb") as full:
        words = "ezrknn: the output cannot be written: No space left on device"
        assert ezrknn(*given, stdout=full) == (1, [words])
    assert ezrknn(*given, preexec_fn=lambda: os.close(1)) == (0, [])


@pytest.mark.parametrize("damage", ["nothing", "cut", "endless"])
def test_damaged_arrays_are_named(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    """Also those that are empty, cut short, or say to be larger than all memory."""
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,), }".ljust(117).encode() + b"\n"
    content = {"nothing": b"", "cut": b"PK\3\4" + bytes(40), "endless": b"\x93NUMPY\1\0v\0" + header}[damage]
    (tmp_path / "x.npy").write_bytes(content)
    model = str(data / "tiny_conv_int8.rknn")
    assert main(["run", model, *SIMULATOR, "--input", str(tmp_path / "x.npy"), "--output-dir", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "x.npy is no .npy or .npz file with numbers" in line


def test_wrong_arguments_take_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage of a command with many flags would hide it."""
    for arguments in (["bench"], ["bench", "m", "--runs", "nan"], ["nix"], ["completion", "nix"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("--help")
