# SPDX-License-Identifier: Apache-2.0
"""Roundings between a convolution and its activation that the file does not mention."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable, cast

import numpy as np
import pytest

from ez_rknn_async.model.format.graph import ChannelQuantization, DType, Graph, Kind, Layout, Node, Tensor
from ez_rknn_async.model.operators.dpu import fraction
from ez_rknn_async.model.operators.hidden_rounding import Convolved, hidden_rounding, spans_are_extremes
from ez_rknn_async.model.operators.stages import Activation

if TYPE_CHECKING:
    from ez_rknn_async.model import Model

DENSE = Convolved(depthwise=False, transposed=False, reach=(-9.0, 9.0))
DEPTHWISE = Convolved(depthwise=True, transposed=False, reach=(-9.0, 9.0))
TRANSPOSED = Convolved(depthwise=False, transposed=True, reach=(-9.0, 9.0))


def result(span: tuple[float, float]) -> Tensor:
    """Return an int8 tensor for which calibration has met ``span``."""
    quantization = ChannelQuantization((0.01,), (0,), span)
    return Tensor(0, "y", DType.INT8, Layout.NC1HWC2, Kind.INTERMEDIATE, (1, 8, 4, 4), (), quantization, 0, 0)


def graph(*nodes: Node) -> Graph:
    """Return a graph of which only the nodes matter."""
    return Graph((), nodes, (), (), ())


@pytest.mark.parametrize(
    ("activation", "undone"),
    [
        (Activation("LeakyRelu", {"alpha": 0.1}), (-0.5, 2.0)),
        (Activation("Tanh"), (-0.7, 1.1)),
        (Activation("Swish"), (-1.0, 2.0)),
        (Activation("HardSwish"), (-1.2, 1.0)),
        (Activation("Gelu"), (-0.5, 1.5)),
        (Activation("Mish"), (-0.9, 2.4)),
    ],
)
def test_the_scale_follows_from_the_span_of_the_result(activation: Activation, undone: tuple[float, float]) -> None:
    """The span in front of the activation is recovered from the one behind it."""
    functions: dict[str, Callable[[float], float]] = {
        "LeakyRelu": lambda x: max(x, 0.1 * x),
        "Tanh": math.tanh,
        "Swish": lambda x: x / (1 + math.exp(-x)),
        "HardSwish": lambda x: x * min(max(x / 6 + 0.5, 0), 1),
        "Gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
        "Mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    }
    low, high = (functions[activation.function](end) for end in undone)
    rounding = hidden_rounding(graph(), [activation], result((low, high)), DEPTHWISE)
    assert rounding is not None
    assert rounding.scale == pytest.approx((undone[1] - undone[0]) / 255, rel=1e-6)
    assert rounding.zero_point == round(-128 - undone[0] / rounding.scale)


def test_tanh_is_inverted_up_to_its_limit() -> None:
    """The compiler ignores arguments beyond 3.2."""
    rounding = hidden_rounding(graph(), [Activation("Tanh")], result((-1.0, 1.0)), DEPTHWISE)
    assert rounding is not None
    assert rounding.scale == pytest.approx(6.4 / 255)


def test_a_flat_end_does_not_reveal_the_argument() -> None:
    """All arguments below -15 or so give the same result."""
    assert hidden_rounding(graph(), [Activation("Elu", {"alpha": 1.0})], result((-1.0, 9.0)), TRANSPOSED) is None
    assert hidden_rounding(graph(), [Activation("Elu", {"alpha": 1.0})], result((-0.9999, 9.0)), TRANSPOSED)


@pytest.mark.parametrize(("function", "high", "limits"), [("Sigmoid", 0.9999, (-7, 7)), ("HardSwish", 8, (-3, 8))])
def test_a_lost_end_is_at_the_limit_if_it_must_lie_beyond(
    function: str, high: float, limits: tuple[float, float]
) -> None:
    """The weights reach as far down as up, and the largest value was far beyond the limit."""
    rounding = hidden_rounding(graph(), [Activation(function)], result((-0.375, high)), DEPTHWISE)
    assert rounding is not None
    assert rounding.scale == pytest.approx((limits[1] - limits[0]) / 255)
    assert rounding.zero_point == round(-128 - limits[0] / rounding.scale)


def test_a_hard_sigmoid_is_rounded_behind_every_convolution() -> None:
    """Its limits are its cut-offs; a result of 1 shows that calibration went far beyond the upper one."""
    hard = Activation("HardSigmoid", {"alpha": 0.2, "beta": 0.5})
    reach = Convolved(depthwise=False, transposed=False, reach=(-6.0, 6.0))
    rounding = hidden_rounding(graph(), [hard], result((0.0, 1.0)), reach)
    assert rounding is not None
    assert rounding.scale == pytest.approx(5 / 255)


@pytest.mark.parametrize(("function", "high"), [("Sigmoid", 0.9), ("Softplus", 9.0), ("Relu", 9.0), ("HardSwish", 2.0)])
def test_a_span_that_cannot_be_inverted_is_not_rounded(function: str, high: float) -> None:
    """A span that was widened to zero has lost its lower end, unless that must have been beyond the limit."""
    low = -0.375 if function == "HardSwish" else 0.0
    assert hidden_rounding(graph(), [Activation(function)], result((low, high)), DEPTHWISE) is None
    assert hidden_rounding(graph(), [Activation(function)], result((low, high)), TRANSPOSED) is None


def test_near_the_lowest_point_the_number_of_values_decides() -> None:
    """With few values, none may have been near the lowest point though others were beyond it."""
    near = (-0.2784346, 1.0)  # inverted: 0.012 above the lowest point
    assert hidden_rounding(graph(), [Activation("Swish")], result(near), DEPTHWISE) is None
    many = replace(result(near), shape=(1, 8, 40, 40))
    assert hidden_rounding(graph(), [Activation("Swish")], many, DEPTHWISE) is not None


def test_the_lowest_point_is_no_nearer_than_float32_can_say() -> None:
    """The official simulator's hard swish of -1.5 may be -0.375 or the next number; then the limit is the end."""
    reach = Convolved(depthwise=True, transposed=False, reach=(-600.0, 400.0))
    many = replace(result((float(np.nextafter(np.float32(-0.375), np.float32(0))), 10.0)), shape=(1, 480, 3, 80))
    rounding = hidden_rounding(graph(), [Activation("HardSwish")], many, reach)
    assert rounding is not None
    assert rounding.scale == pytest.approx(13 / 255)


def test_a_dense_convolution_has_no_hidden_rounding() -> None:
    """The official simulator fuses those."""
    assert hidden_rounding(graph(), [Activation("Tanh")], result((-0.5, 0.5)), DENSE) is None


@pytest.mark.parametrize("cutting", ["MaxPool", "Relu", "Clip"])
def test_a_span_in_front_of_a_cut_is_not_trusted(cutting: str) -> None:
    """It is the span that remains after the cut."""
    cut = Node(0, cutting, "", True, (0,), (1,), {}, (), ())
    assert hidden_rounding(graph(cut), [Activation("Tanh")], result((-0.5, 0.5)), DEPTHWISE) is None


@pytest.mark.parametrize(("met", "extremes"), [((-1.0, 2.0), True), ((-1.1, 2.3), False), (None, True)])
def test_recognises_spans_chosen_by_another_method(met: tuple[float, float] | None, extremes: bool) -> None:
    """With ``mmse`` a scale leaves out the largest values, and the result of an activation does not reveal them."""
    table = {} if met is None else {"x": {"min": [met[0]], "max": [met[1]]}}
    model = cast("Model", SimpleNamespace(attributes={"quant_tab": table}))
    source = replace(result((-1.0, 2.0)), name="x")
    assert spans_are_extremes(model, Graph((source,), (), (0,), (), ())) is extremes


@pytest.mark.parametrize("slope", [0.1, 0.2, 0.01, 0.3, 0.125])
def test_a_slope_is_the_decimal_that_was_written(slope: float) -> None:
    """Fourteen bits identify a short decimal."""
    assert fraction(round(slope * 2**14)) == slope
