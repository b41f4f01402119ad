# SPDX-License-Identifier: Apache-2.0
"""Metadata of the original model, from beside a ``.rknn`` file."""

from __future__ import annotations

import contextlib
import json
import logging
import random
from pathlib import Path

import pytest

from ez_rknn_async.model.format.author_metadata import metadata_beside, metadata_in
from ez_rknn_async.model.format.onnx_metadata import NotOnnxError, read_onnx_metadata

# As long as the alphabet of a text recogniser, which no custom string could hold.
ALPHABET = "\n".join(chr(0x4E00 + index) for index in range(6625))


def write_onnx(path: Path, **metadata: str) -> None:
    """An ONNX model with weights and with this metadata."""
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    weights = onnx.helper.make_tensor("w", 1, [1000], bytes(4000), raw=True)
    add = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([add], "add", [value("x", 1, [1])], [value("y", 1, [1000])], [weights])
    model = onnx.helper.make_model(graph, doc_string="for tests", model_version=3)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, str(path))


def test_reads_what_the_onnx_package_wrote(tmp_path: Path) -> None:
    """Long values, too."""
    write_onnx(tmp_path / "x.onnx", character=ALPHABET, names="{0: 'cat'}", empty="")
    assert read_onnx_metadata(str(tmp_path / "x.onnx")) == {"character": ALPHABET, "names": "{0: 'cat'}", "empty": ""}


def test_a_model_without_metadata_has_none(tmp_path: Path) -> None:
    """An empty file, which protobuf takes for an empty message, neither."""
    write_onnx(tmp_path / "x.onnx")
    assert read_onnx_metadata(str(tmp_path / "x.onnx")) == {}
    (tmp_path / "x.onnx").write_bytes(b"")
    assert read_onnx_metadata(str(tmp_path / "x.onnx")) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"\x72\x7f",  # metadata longer than the file
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # a graph of 2**63 bytes
        b"\x73",  # a way to write that was given up
        b"\x77",
        b"\xff" * 12,
        b"\x08",
        b"\x72\x02\x0a\x05",  # a key longer than its entry
    ],
)
def test_refuses_what_is_no_onnx_model(tmp_path: Path, content: bytes) -> None:
    """Before it allocates anything."""
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(NotOnnxError):
        read_onnx_metadata(str(tmp_path / "x.onnx"))


def test_damage_ends_in_metadata_or_in_a_refusal(tmp_path: Path) -> None:
    """Whatever byte is wrong."""
    path, chance = tmp_path / "x.onnx", random.Random(0)
    write_onnx(path, character="abc", names="def")
    whole = path.read_bytes()
    for _ in range(500):
        damaged = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(3 if damaged else 0):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(NotOnnxError):
            assert isinstance(read_onnx_metadata(str(path)), dict)


def test_prefers_the_sidecar_and_the_more_special_name(tmp_path: Path) -> None:
    """Keys are taken from all of them."""
    write_onnx(tmp_path / "x.onnx", character="of the ONNX", names="of the ONNX", stride="8")
    (tmp_path / "x.metadata.json").write_text(json.dumps({"names": "of the sidecar", "stride": 16}))
    (tmp_path / "x.rk3588.metadata.json").write_text(json.dumps({"stride": [16, 32]}))
    assert metadata_beside(str(tmp_path / "x.rk3588.rknn")) == {
        "character": "of the ONNX",
        "names": "of the sidecar",
        "stride": "[16, 32]",
    }


def test_leaves_out_a_damaged_neighbour(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The model itself is good; the log says what is wrong."""
    (tmp_path / "x.metadata.json").write_text("[1, 2]")
    (tmp_path / "x.onnx").write_bytes(b"\x72\x7f")
    with caplog.at_level(logging.WARNING, "ez_rknn_async"):
        assert metadata_beside(str(tmp_path / "x.rknn")) == {}
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


@pytest.mark.parametrize(
    ("custom_string", "metadata"),
    [('{"names": "a", "n": 1}', {"names": "a", "n": "1"}), ("version 3", {}), ("", {}), ("[1]", {}), ("17", {})],
)
def test_a_custom_string_counts_if_it_is_a_json_object(custom_string: str, metadata: dict[str, str]) -> None:
    """Others are texts of their authors' own."""
    assert metadata_in(custom_string) == metadata
