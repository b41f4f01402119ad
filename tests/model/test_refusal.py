# SPDX-License-Identifier: Apache-2.0
"""Files that are not models for this library: each is recognised, and the error says what to do."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import check_target, load, read_header

from .writer import Reference, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ez_rknn_async.model import Model


@pytest.mark.parametrize(
    ("content", "says", "hint"),
    [
        (b"", "is empty", "copy"),
        (b"RK", "only 2 bytes (52 4b)", "copy"),
        (b"RKNN" + bytes(20), "24 bytes, less than its header of 64", "copy"),
        (b"\x7fELF" + bytes(100), "7f 45 4c 46 00 00 00 00", "export_rknn"),
        (b"RKNN\1\0\0\0" + bytes(100), "followed by 01 00 00 00", "copy"),
        (b"RKNX" + bytes(100), "RKNPU3", "target_platform='rk3588'"),
        (b"RKCE" + bytes(100), "encrypted", "without encryption"),
        (b"version https://git-lfs.github.com/spec/v1\n" + bytes(80), "Git LFS pointer", "git lfs pull"),
        (b"\x08\x08\x12\x04test" + bytes(80), "ONNX", "rknn-toolkit2"),
        (b"PK\x03\x04" + bytes(80), "ZIP", "rknn-toolkit2"),
        (b"RKNN\0\0\0\0" + struct.pack("<QQ", 2, 64) + bytes(80), "container version 2, which is too old", "1.5.2"),
        (b"RKNN\0\0\0\0" + struct.pack("<QQ", 1, 64) + bytes(80), "rknn-toolkit 1", "run it on that SoC"),
        (b"RKNN\0\0\0\0" + struct.pack("<QQ", 7, 64) + bytes(80), "container version 0x7, which is too new", "update"),
        (b"RKNN\0\0\0\0" + struct.pack("<QQ", 0x1004, 64) + bytes(80), "mini", "mini_rknn"),
        (b"RKNN\0\0\0\0" + struct.pack("<QQ", 6, 2**63) + bytes(80), "cut short", "copy"),
        (b"RKNN\0\0\0\0" + struct.pack("<QQ", 6, 64) + bytes(104), "marked b'\\x00\\x00\\x00\\x00'", None),
    ],
)
def test_recognises_other_kinds_of_files(content: bytes, says: str, hint: str | None) -> None:
    """The first bytes decide, and the advice fits what was found."""
    for read in (load, read_header):
        with pytest.raises(RknnModelError) as caught:
            read(content)
        assert says in str(caught.value)
        assert caught.value.offset is not None
        assert (caught.value.hint is None) if hint is None else (hint in str(caught.value.hint))


def test_recognises_a_mini_model_of_the_compiler(data: Path) -> None:
    """A real file shows that its first bytes were guessed right."""
    with pytest.raises(RknnModelError, match="mini_rknn"):
        load(data / "mini_int8.rknn")


def test_refuses_every_truncation(tiny: bytes) -> None:
    """The vendor's runtime aborts the process on a file that lacks even its last byte; such a file never gets there."""
    lengths = [*range(0, 200), *range(200, len(tiny) - 50, 97), *range(len(tiny) - 50, len(tiny))]
    for length in lengths:
        with pytest.raises(RknnModelError):
            load(tiny[:length])
    assert load(tiny).size == len(tiny)


def test_refuses_a_newer_schema_before_reading_its_graphs() -> None:
    """The graphs of a future compiler may mean anything; the version says so."""
    writer, compiler = Writer(), Reference()
    root = writer.table({0: 7, 6: 30000, 7: compiler})
    writer.text(b"3.0.0", compiler)
    with pytest.raises(RknnModelError, match=r"schema version 7.*reads up to 6.*3\.0\.0") as caught:
        read_header(writer.finish(root))
    assert "older rknn-toolkit2" in str(caught.value.hint)


def test_names_the_reason_why_a_file_cannot_be_opened(tmp_path: Path) -> None:
    """A missing file, a folder and an empty file are told apart."""
    (tmp_path / "empty.rknn").touch()
    for path, says in [("missing.rknn", "No such file"), (".", "is not a file"), ("empty.rknn", "is empty")]:
        with pytest.raises(RknnModelError, match=says):
            load(tmp_path / path)


def test_refuses_a_named_pipe_without_waiting(tmp_path: Path) -> None:
    """Opening a pipe blocks until it has a writer."""
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RknnModelError, match="is not a file"):
        load(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("name", "soc", "runs"),
    [
        ("tiny_conv_int8", "rk3588", True),
        ("tiny_conv_int8", "RK3588", True),
        ("tiny_conv_int8", "rk3588s", True),
        ("tiny_conv_int8", "rk3576", False),
        ("tiny_conv_int8", "rk3568", False),
        ("rk3566_block_int8", "rk3566", True),
        ("rk3566_block_int8", "rk3568", True),
        ("rk3566_block_int8", "rk3562", False),
        ("rk3566_block_int8", "rk3588", False),
        ("rk3562_conv_int8", "rk3562", True),
        ("rk3562_conv_int8", "rk3566", False),
        ("rk3576_block_int8", "rk3576", True),
        ("rk3576_block_int8", "rk3588", False),
        ("rk3576_block_int8", "rv1126b", False),
    ],
)
def test_a_model_only_runs_on_its_own_soc(open_model: Callable[[str], Model], name: str, soc: str, runs: bool) -> None:
    """Only RK3566 and RK3568 share models; otherwise the error says what to compile for."""
    model = open_model(name)
    for source in (model, model.header):
        if runs:
            check_target(source, soc)
        else:
            with pytest.raises(RknnModelError, match=f"compiled for {model.target_platform}.*target_platform='{soc}'"):
                check_target(source, soc)
