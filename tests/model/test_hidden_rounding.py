"""Roundings between a convolution and its activation that the file does not mention."""

from __future__ import annotations

import math

import pytest

from ez_rknn_async.model.dpu import fraction
from ez_rknn_async.model.graph import DType, Graph, Kind, Layout, Node, Quantization, Tensor
from ez_rknn_async.model.hidden_rounding import hidden_rounding
from ez_rknn_async.model.stages import Activation


def result(span: tuple[float, float]) -> Tensor:
    """An int8 tensor for which calibration has met ``span``."""
    quantization = Quantization((0.01,), (0,), span)
    return Tensor(0, "y", DType.INT8, Layout.NC1HWC2, Kind.INTERMEDIATE, (1, 8, 4, 4), (), quantization, 0, 0)


def graph(*nodes: Node) -> Graph:
    """A graph of which only the nodes matter."""
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
    """The span in front of the activation is found again from the one behind it."""
    functions = {
        "LeakyRelu": lambda x: max(x, 0.1 * x),
        "Tanh": math.tanh,
        "Swish": lambda x: x / (1 + math.exp(-x)),
        "HardSwish": lambda x: x * min(max(x / 6 + 0.5, 0), 1),
        "Gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
        "Mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    }
    low, high = (functions[activation.function](end) for end in undone)
    rounding = hidden_rounding(graph(), [activation], result((low, high)), depthwise=True, transposed=False)
    assert rounding is not None
    assert rounding.scale == pytest.approx((undone[1] - undone[0]) / 255, rel=1e-6)
    assert rounding.zero_point == round(-128 - undone[0] / rounding.scale)


def test_tanh_is_undone_up_to_its_limit() -> None:
    """The compiler takes no argument beyond 3.2 into account."""
    rounding = hidden_rounding(graph(), [Activation("Tanh")], result((-1.0, 1.0)), depthwise=True, transposed=False)
    assert rounding is not None
    assert rounding.scale == pytest.approx(6.4 / 255)


@pytest.mark.parametrize("function", ["Sigmoid", "Softplus", "Relu"])
def test_what_cannot_be_undone_is_not_rounded(function: str) -> None:
    """A span that was widened to zero has lost its lower end."""
    assert hidden_rounding(graph(), [Activation(function)], result((0.0, 1.0)), depthwise=True, transposed=True) is None


def test_a_dense_convolution_has_no_hidden_rounding() -> None:
    """The official simulator fuses those."""
    assert (
        hidden_rounding(graph(), [Activation("Tanh")], result((-0.5, 0.5)), depthwise=False, transposed=False) is None
    )


def test_a_span_in_front_of_a_maximum_is_not_trusted() -> None:
    """It is the span of the maxima."""
    pool = Node(0, "MaxPool", "", True, (0,), (1,), {}, (), ())
    assert (
        hidden_rounding(graph(pool), [Activation("Tanh")], result((-0.5, 0.5)), depthwise=True, transposed=False)
        is None
    )


@pytest.mark.parametrize("slope", [0.1, 0.2, 0.01, 0.3, 0.125])
def test_a_slope_is_the_number_that_was_written(slope: float) -> None:
    """Fourteen bits are enough to tell which short decimal it was."""
    assert fraction(round(slope * 2**14)) == slope
