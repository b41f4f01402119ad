# SPDX-License-Identifier: Apache-2.0
"""The table of what was reported of boards: each row finds its layers and no others, and says who saw it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import report_reference

from ez_rknn_async._options.soc import SOCS
from ez_rknn_async.model.reports import REPORTS, BoardReport, sightings

from .reported import Sketch, attention, convolution, resized, row, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from ez_rknn_async.model import Model

# By the source and the beginning of the kind: a graph that has it, and one that is nearly the same but does not.
EXAMPLES: dict[tuple[str, str], tuple[Sketch, Sketch]] = {
    ("nsbb/rknn-wakeword README.md", "a ReduceMean"): (single("ReduceMean"), single("ReduceMax")),
    ("nsbb/rknn-wakeword README.md", "a convolution along"): (row(5), row(1)),
    ("nsbb/rknn-wakeword README.md", "a sum"): (
        single("AddRelu", (1, 8, 1, 4), (1, 8, 4, 4)),
        single("AddRelu", (1, 8, 4, 4), (1, 8, 4, 4)),
    ),
    ("airockchip/rknn-toolkit2#228", "one inference"): (convolution((3, 3)), Sketch()),
    ("airockchip/rknn-toolkit2#378", "a Softmax"): (
        single("exSoftmax13", (1, 17, 4, 8400), result=(1, 17, 4, 8400), axis=1),
        single("exSoftmax13", (1, 16, 4, 8400), result=(1, 16, 4, 8400), axis=1),
    ),
    ("airockchip/rknn-toolkit2#574", "attention"): (attention(beside_int8=False), single("exMatMul")),
    ("airockchip/rknn-toolkit2#123", "attention"): (attention(beside_int8=True), attention(beside_int8=False)),
    ("airockchip/rknn-toolkit2#95", "a product"): (single("exMatMul"), single("Mul")),
    ("airockchip/rknn-toolkit2#427", "an LSTM"): (single("exLSTM"), single("exGRU")),
    ("airockchip/rknn-toolkit2#305", "an LSTM"): (single("exLSTM"), single("exGRU")),
    ("airockchip/rknn-toolkit2#101", "an LSTM or GRU"): (single("exGRU"), single("exGRU", on_npu=False)),
    ("airockchip/rknn-toolkit2#569", "a Sigmoid"): (
        single("Sigmoid", result=(1, 498, 1, 8400)),
        single("Sigmoid", result=(1, 80, 1, 8400)),
    ),
    ("airockchip/rknn-toolkit2#579", "a bilinear"): (
        resized("linear", consumed=True),
        resized("linear", consumed=False),
    ),
    ("airockchip/rknn-toolkit2#441", "a Resize"): (single("Resize", on_npu=False), resized("nearest", consumed=True)),
    ("airockchip/rknn-toolkit2#315", "a convolution"): (convolution((1, 100), (1, 50)), convolution((7, 7), (7, 7))),
    ("rockchip-linux/rknpu2#91", "a convolution"): (convolution((1, 128)), convolution((1, 127))),
    ("rockchip-linux/rknn-toolkit2#133", "a convolution"): (
        convolution((3, 3), computed=True),
        convolution((3, 3)),
    ),
    ("airockchip/rknn_model_zoo#181", "a global mean"): (
        convolution((7, 7), (7, 7), name="Conv:p2o.GlobalAveragePool.3_2conv_0"),
        convolution((7, 7), (7, 7)),
    ),
    ("airockchip/rknn-toolkit2#485", "a GridSample"): (single("GridSample"), single("Resize")),
    ("airockchip/rknn-toolkit2#485", "a Mod"): (single("Mod"), single("Div")),
    ("immich-app/immich#17098", "a CumSum"): (single("CumSum"), single("Add")),
    ("airockchip/rknn-toolkit2#490", "a Transpose"): (
        single("Transpose", (1, 8, 256, 2560), on_npu=False),
        single("Transpose", (1, 8, 64, 128), on_npu=False),
    ),
}


def reports() -> list[tuple[BoardReport, Sketch, Sketch]]:
    """Pair each row with its examples."""
    return [(report, *EXAMPLES[key]) for report in REPORTS for key in EXAMPLES if _is(report, key)]


def _is(report: BoardReport, key: tuple[str, str]) -> bool:
    source, beginning = key
    return report.source == source and report.what.startswith(beginning)


def _seen(report: BoardReport, sketch: Sketch, target: str) -> bool:
    toolkit = report.toolkits[1] if report.toolkits else (2, 5, 0)
    version = (*toolkit, 0, 0)[:3]
    return bool(sightings(sketch.model(target, version), together=True, reports=[report]))  # type: ignore[arg-type]


def test_every_report_has_an_example() -> None:
    """A row whose pattern nobody has tried may never match, or always."""
    assert [report for report, *_ in reports()] == list(REPORTS)


@pytest.mark.parametrize(("report", "has", "lacks"), reports(), ids=lambda value: getattr(value, "source", ""))
def test_finds_the_layers_of_its_kind_and_no_others(report: BoardReport, has: Sketch, lacks: Sketch) -> None:
    """Each finds what the report is about, on the SoC of the report alone; and not what is nearly the same."""
    for soc in report.socs:
        assert _seen(report, has, soc)
        assert not _seen(report, lacks, soc)
    assert not any(_seen(report, has, soc) for soc in {"rk3562", "rk3588"} - set(report.socs))


def test_each_says_where_it_was_seen_and_what_to_do() -> None:
    """A row is evidence: a repository and an issue or a file, an SoC that exists, a symptom, and advice."""
    assert len({report.source for report in REPORTS}) >= 15
    for report in REPORTS:
        assert re.fullmatch(r"[\w-]+/[\w.-]+(#\d+| \S+)", report.source)
        assert set(report.socs) <= set(SOCS)
        assert all((report.what, report.versions, report.symptom, report.advice))


def test_counts_only_for_the_toolkits_that_it_names() -> None:
    """What a later compiler does is another matter."""
    (report,) = (report for report in REPORTS if report.source == "airockchip/rknn-toolkit2#95")
    sketch = single("exMatMul")
    versions = ((1, 6, 0), (2, 0, 0), (2, 0, 1), (2, 1, 0))
    assert [bool(sightings(sketch.model("rk3588", version), reports=[report])) for version in versions] == [
        False,
        True,
        False,
        False,
    ]


def test_several_cores_count_only_where_they_work_together() -> None:
    """Every model of RK3588 could run on three cores; most never do."""
    model = convolution((3, 3)).model("rk3588")
    assert sightings(model) == []
    assert [sighting.report.source for sighting in sightings(model, together=True)] == ["airockchip/rknn-toolkit2#228"]


def test_names_the_first_layers_of_many() -> None:
    """A network of fifty such layers must not become a message of fifty names."""
    sketch = Sketch()
    for _ in range(5):
        sketch.layer("CumSum", [sketch.tensor((1, 4))], (1, 4))
    (sighting,) = sightings(sketch.model("rk3566"))
    assert sighting.where == "layers 'CumSum:layer0', 'CumSum:layer1', 'CumSum:layer2' and 2 more"
    assert sighting.text.endswith("(immich-app/immich#17098)")


def test_concerns_few_of_the_committed_models(open_model: Callable[[str], Model], manifest: dict[str, object]) -> None:
    """A pattern that fits ordinary networks would be a false alarm for everybody."""
    concerned = set()
    for name in ("residual_int8", "block_int8", "tiny_conv_int8", "last_state_fp16", "rk3576_lstm_int8"):
        if sightings(open_model(name)):
            concerned.add(name)
    assert concerned == {"last_state_fp16", "rk3576_lstm_int8"}


def test_the_reference_has_the_table() -> None:
    """``make reports`` writes it; the page and the package must not differ."""
    assert report_reference.PAGE.read_text(encoding="utf-8") == report_reference.page()
