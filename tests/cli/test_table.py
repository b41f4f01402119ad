# SPDX-License-Identifier: Apache-2.0
"""Tables and the width of the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ez_rknn_async.cli.table import Table, columns_of, folded, terminal_width

from .conftest import Ezrknn

WIDTHS = [60, 80, 120]
SIMULATOR = ["--runtime-library", "simulator"]


def wide() -> Table:
    """A table of 74 columns."""
    table = Table(["layer", "a heading of words", "memory (KiB)", "remarks"], ["remarks", "memory (KiB)"])
    return table.row("a/rather/long/name/of/a/layer", 1.5, 1234.0, "yes").row("conv0", 20.25, None, "no")


def test_a_table_that_fits_is_left_alone() -> None:
    """Its columns are as wide as their longest cell, numbers to the right."""
    lines = wide().render(120).splitlines()
    assert lines[0] == "layer                          a heading of words  memory (KiB)  remarks"
    assert lines[2] == "a/rather/long/name/of/a/layer                 1.5          1234  yes"
    assert lines[3] == "conv0                                       20.25                no"


def test_headings_wrap_first() -> None:
    """Nothing is lost by that."""
    lines = wide().render(66).splitlines()
    assert lines[0].strip() == "a heading of"
    assert lines[1].split() == ["layer", "words", "memory", "(KiB)", "remarks"]
    assert "no room" not in lines[-1]


def test_then_texts_are_shortened_and_columns_left_out() -> None:
    """The least important first, and what is missing is said; the end of a name tells layers apart."""
    text = wide().render(34)
    assert "..of/a/layer" in text or "..name/of/a/layer" in text
    assert "remarks" in text.splitlines()[-1] or "remarks" in text.splitlines()[-2]
    assert max(map(len, text.splitlines())) <= 34
    assert "20.25" in text  # numbers are never shortened


def test_columns_of_a_terminal_are_not_characters() -> None:
    """Ideographs take two, combining marks none."""
    assert columns_of("输入ab") == 6
    assert columns_of("e\N{COMBINING ACUTE ACCENT}") == 1
    lines = Table(["name", "n"]).row("输入", 1).row("ab", 2).render(80).splitlines()
    assert lines[2] == "输入  1"
    assert lines[3] == "ab    2"


def test_the_width_is_that_of_columns_or_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe has none: other programs want whole lines."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width() is None
    monkeypatch.setenv("COLUMNS", "72")
    assert terminal_width() == 72
    for nonsense in ("", "0", "wide", "-5"):
        monkeypatch.setenv("COLUMNS", nonsense)
        assert terminal_width() is None
    monkeypatch.setenv("COLUMNS", "1")
    assert terminal_width() == 20


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "two_inputs_int8.rknn"],
        ["info", "custom_string_fp16.rknn", "--layers"],
        ["info", "block_int8.rknn", "--layers"],
        ["info", "dynamic_fp16.rknn"],
        ["info", "gru_bidirectional_fp16.rknn"],
        ["info", "mean_std_int8.rknn"],
        ["compare", "block_int8.rknn", "--layers"],
        ["bench", "snippet.rknn", "--compare", "--runs=4", *SIMULATOR],
        ["bench", "snippet.rknn", "--ways=all", "--runs=40", "--histogram", *SIMULATOR],
        ["bench", "snippet.rknn", "tiny_conv_int8.rknn", "--rate=200,400", "--runs=9", *SIMULATOR],
        ["run", "two_inputs_int8.rknn", *SIMULATOR],
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_output_fits_the_terminal(
    data: Path, tmp_path: Path, ezrknn: Ezrknn, monkeypatch: pytest.MonkeyPatch, arguments: list[str], width: int
) -> None:
    """No line is longer, and the first column, which says what a row is, is always there."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.chdir(tmp_path)
    printed = ezrknn(*(data / each if each.endswith(".rknn") else each for each in arguments))
    assert [line for line in printed.splitlines() if columns_of(line) > width] == []


def test_prose_hangs_from_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of a list stay one entry to the eye; into a pipe they are one line."""
    assert folded("one two three", "* ") == "* one two three"
    monkeypatch.setenv("COLUMNS", "20")
    assert folded("one two three four five", "  -> ") == "  -> one two three\n     four five"


def test_long_names_and_a_custom_string_fit(
    data: Path, tmp_path: Path, ezrknn: Ezrknn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of layers are as long as exporters make them."""
    monkeypatch.setenv("COLUMNS", "60")
    table = Table(["output", "cosine"]).row("/model.22/cv2.0/cv2.0.2/Conv_output_0/reshaped/and/more", 0.99)
    assert all(len(line) <= 60 for line in table.render().splitlines())
    text = ezrknn("info", data / "custom_string_fp16.rknn")
    assert '{"labels": ["zero", "one"]}' in text


def test_a_real_terminal_is_asked_for_its_width(data: Path) -> None:
    """Without COLUMNS, which shells do not export."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 64, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    command = [sys.executable, "-m", "ez_rknn_async", "info", str(data / "block_int8.rknn"), "--layers"]
    with subprocess.Popen(command, stdout=child, stderr=child, env=environment) as program:
        os.close(child)
        printed = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            printed += part
        assert program.wait() == 0
    os.close(parent)
    lines = printed.decode().splitlines()
    assert 50 < max(map(len, lines)) <= 64
    assert any(line.startswith("(no room for:") for line in lines)
