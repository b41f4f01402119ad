# SPDX-License-Identifier: Apache-2.0
"""Models of older NPUs, older toolkits and small SoCs: the message identifies them from the summary in the file."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from ez_rknn_async.cli import main
from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import load
from ez_rknn_async.model.format.other_formats import Origin, origin_of

MINI = 0x1004


def model(version: int, target: object = None, toolkit: str = "", header: int = 64) -> bytes:
    """Return a file of another format: as far as is known, a head and a summary at the end."""
    said = {"nodes": [{"op": "x"}], "target_platform": target, "version": toolkit}
    summary = json.dumps({key: value for key, value in said.items() if value}).encode()
    return (struct.pack("<8sQQ", b"RKNN", version, 32).ljust(header, b"\0") + bytes(32)) + (
        struct.pack("<Q", len(summary)) + summary
    )


def refused(content: bytes) -> str:
    with pytest.raises(RknnModelError) as caught:
        load(content)
    assert caught.value.offset == 8
    return str(caught.value)


def test_names_an_older_npu_without_blaming_the_models_age() -> None:
    """Compiling it again with rknn-toolkit2 for that SoC is impossible: there is no such target."""
    said = refused(model(1, ["RV1126"], "1.7.1"))
    assert "container version 1, compiled by toolkit 1.7.1 for RV1126" in said
    assert "another architecture" in said
    assert (
        "run it on that SoC with its own runtime, or compile the original network with rknn-toolkit2 for this" in said
    )
    assert "too old" not in said


@pytest.mark.parametrize("header", [24, 64])
@pytest.mark.parametrize("target", ["RK1808", ["RK1808", "RK1806"]])
def test_finds_the_soc_in_either_form_of_the_summary(header: int, target: object) -> None:
    """It is a text or a list, behind a header of any length."""
    assert origin_of(memoryview(model(1, target, "1.6.0", header))).soc in ("RK1808", "RK1806")


def test_names_the_candidate_socs_of_an_older_model_without_a_summary() -> None:
    """The version alone narrows them down."""
    assert "RK1808, RK1806, RK3399Pro, RV1109 and RV1126" in refused(model(1))


def test_names_an_older_npu_whatever_the_version_is() -> None:
    """Later releases of the first toolkit counted on; the SoC says whose model it is."""
    said = refused(model(2, ["RV1126"], "1.7.5"))
    assert "container version 2, compiled by toolkit 1.7.5 for RV1126" in said
    assert "another architecture" in said


@pytest.mark.parametrize("version", [2, 3, 5])
def test_advises_compiling_a_model_of_an_older_toolkit_again(version: int) -> None:
    """Toolkits from 1.5.2 write a readable format."""
    said = refused(model(version, ["RK3588"], "1.4.0-22dcfef4"))
    assert f"container version {version}, compiled by toolkit 1.4.0-22dcfef4 for RK3588, which is too old" in said
    assert "rknn-toolkit2 1.5.2 or later" in said


def test_names_the_small_soc_a_model_is_for() -> None:
    """Leaving out mini_rknn=True would not make it run anywhere else."""
    said = refused(model(MINI, ["rv1106"], "1.6.0"))
    assert "mini format (container version 0x1004), compiled by toolkit 1.6.0 for RV1106" in said
    assert "it belongs to RV1106" in said
    assert "compile the original network with rknn-toolkit2" in said


def test_advises_against_mini_rknn_for_a_larger_soc(data: Path) -> None:
    """There mini_rknn=True is the only obstacle."""
    said = refused((data / "mini_int8.rknn").read_bytes())
    assert "compiled by toolkit 2.5.0 for RK3588" in said
    assert said.endswith("compile the model again without mini_rknn=True")


def test_names_the_socs_of_the_mini_format_for_a_bare_model() -> None:
    """The format alone narrows them down."""
    assert "small SoCs such as RV1103 and RV1106" in refused(model(MINI))


@pytest.mark.parametrize(
    "end", [b'"target_platform": ["' + b"A" * 100 + b'"]', b'"target_platform": [{}]', b"\xff" * 9]
)
def test_ignores_a_meaningless_summary(end: bytes) -> None:
    """It is as untrusted as the rest of the file."""
    assert origin_of(memoryview(b"RKNN" + end)) == Origin("", "")


def test_ezrknn_info_gives_the_same_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People try it first with a file that they found."""
    file = tmp_path / "old.rknn"
    file.write_bytes(model(1, ["RV1126"], "1.7.1"))
    assert main(["info", str(file)]) == 1
    assert "for RV1126" in capsys.readouterr().err
