# SPDX-License-Identifier: Apache-2.0
"""The timing model: its errors against published frame rates are as its page says, and within limits."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from ez_rknn_async._runtime.layer_times import layer_times

from ..conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = ROOT / "tools" / "timing"


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, ModuleType]]:
    """The modules of ``tools/timing`` that only need numpy."""
    modules = {}
    for name in ("model", "published", "soc_report", "public_report"):
        specification = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
        assert specification is not None
        assert specification.loader is not None
        modules[name] = sys.modules[name] = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(modules[name])
    yield modules
    for name in modules:
        del sys.modules[name]


@pytest.mark.parametrize(("soc", "limit"), [("rk3588", 0.12), ("rk3576", 0.15), ("rk3566", 0.15)])
def test_times_of_held_out_networks_match_published_ones(tools: dict[str, ModuleType], soc: str, limit: float) -> None:
    """Their mean error is within the limit, with the constants in use."""
    held_out = tools["published"].HELD_OUT
    assert not set(held_out) & set(tools["published"].FITTED)
    assert tools["soc_report"].mean_error(soc, held_out, tools["model"].constants_in_use()[soc]) <= limit


def test_times_of_held_out_core_counts_match_published_ones(tools: dict[str, ModuleType]) -> None:
    """Data and tensor parallelism with three cores are within 15 % of another author's figures."""
    published, constants = tools["published"], tools["model"].constants_in_use()["rk3588"]
    fitted = published.FITTED_RATIOS.values()
    assert not {ratio.source for ratio in fitted} & {ratio.source for ratio in published.HELD_OUT_RATIOS}
    assert {ratio.what.split(":")[0] for ratio in published.HELD_OUT_RATIOS} == {"data parallel", "tensor parallel"}
    for ratio in published.HELD_OUT_RATIOS:
        assert tools["soc_report"].modelled(ratio, constants) == pytest.approx(ratio.value, rel=0.15), ratio.what


def test_the_constants_of_several_cores_are_fitted(tools: dict[str, ModuleType]) -> None:
    """There is one figure for each: a change of a constant alone must show."""
    constants = tools["model"].constants_in_use()["rk3588"]
    for ratio in tools["published"].FITTED_RATIOS.values():
        assert tools["soc_report"].modelled(ratio, constants) == pytest.approx(ratio.value, rel=0.005), ratio.what


def test_the_page_has_the_errors_of_the_constants_in_use(tools: dict[str, ModuleType]) -> None:
    """soc_report.py prints both tables of single models, public_report.py that of whole systems."""
    page = (ROOT / "docs" / "explanation" / "timing.md").read_text()
    assert tools["soc_report"].single_core_table() in page
    assert tools["soc_report"].several_cores_table() in page
    assert tools["public_report"].report() in page


@pytest.mark.parametrize("name", ["block_int8", "snippet"])
def test_the_fitted_formula_is_the_one_that_runs(tools: dict[str, ModuleType], data: Path, name: str) -> None:
    """In Python it gives each layer the native library's time, with 1, 2 and 3 cores."""
    layers = layer_times(str(data / f"{name}.rknn"))
    assert any(layer.share[1] < 1 for layer in layers)
    rows = [
        [
            layer.operator,
            layer.on_npu,
            layer.compute_cycles,
            layer.moved_bytes,
            layer.table_elements,
            layer.attention_scores,
            *layer.share[1:],
        ]
        for layer in layers
    ]
    network = tools["model"].network_of(rows)
    constants = tools["model"].constants_in_use()["rk3588"]
    for cores in (1, 2, 3):
        expected = tools["model"].layer_durations(network, constants, cores, cores)
        assert [layer.duration_ns[cores - 1] for layer in layers] == pytest.approx(list(expected), abs=1)
