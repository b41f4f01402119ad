# SPDX-License-Identifier: Apache-2.0
"""Convolutions as real numbers: an int8 model must mean the same as the fp16 model of the same network.

A wrong weight hardly shows in the output of a network; these tests look at the weights.
"""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from ez_rknn_async.model import DType, Kind, Layout, RegisterFile, Tensor, load
from ez_rknn_async.model.operators.convolution import Convolution, convolution
from ez_rknn_async.model.operators.image_weights import is_image_weight, unpack_image_weight
from ez_rknn_async.model.operators.stages import Activation, fused_functions
from ez_rknn_async.model.operators.unsupported import UnsupportedFormError

from .recordings import recordings

if TYPE_CHECKING:
    from ez_rknn_async.model import Graph, Model

ZOO = Path(__file__).resolve().parents[3] / "shared" / "zoo"
STEPS = 1.05  # half for the weight, half for the zero point; the scales in the file have 15 bits
WITH_CONVOLUTIONS = ("block", "residual", "conv", "odd", "activations", "mean")
SIBLINGS = [
    (one.path, one.path.with_name(one.path.name.replace("int8", "fp16")))
    for one in recordings()
    if "int8" in one.name
    and any(word in one.name for word in WITH_CONVOLUTIONS)
    and one.path.with_name(one.path.name.replace("int8", "fp16")).exists()
]
IN_ZOO = [
    ("conv_hswish", "rk3562_i8"),
    ("conv_hswish", "rk3566_i8"),
    ("conv_hswish", "rk3576_i8"),
    ("conv_leaky", "rk3562_i8"),
    ("conv_leaky", "rk3576_i8"),
    ("conv_prelu", "rk3562_i8"),
    ("conv_prelu", "rk3576_i8"),
    ("conv_c64_64_k3", "layer_i8"),
    ("deconv_k4s2p1", "i8"),
    ("conv_dw70_k5", "i8"),
]


def convolutions(path: Path) -> dict[str, Convolution]:
    """Return the convolutions of a model by the names of their results."""
    with load(str(path)) as model:
        graph = model.graphs[0]
        registers = RegisterFile(model, graph)
        return {
            graph.tensors[node.outputs[0]].name: convolution(model, graph, node, registers)
            for node in graph.nodes
            if node.op.startswith("Conv")
        }


def assert_equal_weights(quantised: Path, floating: Path) -> None:
    ours, theirs = convolutions(quantised), convolutions(floating)
    common = ours.keys() & theirs.keys()
    assert common
    for name in common:
        error = np.abs(ours[name].weight.real() - theirs[name].weight.real())
        assert (error <= STEPS * steps(theirs[name], "layer" in quantised.name)).all(), name
        assert ours[name].strides == theirs[name].strides
        assert ours[name].pads == theirs[name].pads
        assert_equal_stages(ours[name], theirs[name])


def steps(floating: Convolution, per_layer: bool) -> np.ndarray[Any, Any]:
    """Return the value of one unit of an int8 weight, for each channel or for all."""
    channels = 1 if floating.transposed and floating.group == 1 else 0
    axes = None if per_layer else tuple(axis for axis in range(4) if axis != channels)
    weight = floating.weight.real()
    low, high = weight.min(axes, keepdims=True), weight.max(axes, keepdims=True)
    return (np.maximum(high, 0) - np.minimum(low, 0)) / 255 + 1e-9


def assert_equal_stages(ours: Convolution, theirs: Convolution) -> None:
    """Check that both have the same functions with the same parameters, if the compiler has fused the same."""
    pairs = [(a, b) for a, b in zip(ours.stages, theirs.stages) if isinstance(a, Activation)]
    for a, b in pairs:
        if isinstance(b, Activation) and a.function == b.function != "HardSigmoid":
            assert a.parameters == pytest.approx(b.parameters, rel=0.01, abs=0.01)


@pytest.mark.parametrize(("quantised", "floating"), SIBLINGS, ids=lambda path: path.stem)
def test_quantised_weights_stand_for_the_floating_ones(quantised: Path, floating: Path) -> None:
    """They are half a step of quantisation apart at most, for every channel of every convolution."""
    assert_equal_weights(quantised, floating)


@pytest.mark.skipif(not ZOO.is_dir(), reason="the collection ../shared is not on this machine")
@pytest.mark.parametrize(("name", "variant"), IN_ZOO)
def test_every_soc_keeps_the_same_weights(name: str, variant: str) -> None:
    """Each SoC has other places for scales and zero points, but the real numbers are the same."""
    assert_equal_weights(ZOO / name / f"{variant}.rknn", ZOO / name / "fp.rknn")


def image_weight(values: np.ndarray[Any, Any]) -> tuple[Tensor, bytes]:
    """Return a weight [Cout, Cin, kh, kw] packed as for an image, and the tensor that describes it."""
    cout, cin, height, width = values.shape
    packed = np.zeros((height, cout, -(-width // 4) * 4, 4), np.int8)
    packed[:, :, :width, :cin] = values.transpose(2, 0, 3, 1)
    tensor = Tensor(
        index=1,
        name="w",
        dtype=DType.INT8,
        layout=Layout.PACKED_WEIGHT,
        kind=Kind.WEIGHT,
        shape=values.shape,
        native_shape=(1, 1, height, width, cout, 4),
        quantization=None,
        size=2 * packed.size,
        buffer=1,
    )
    return tensor, packed.tobytes() + bytes(packed.size)


@pytest.mark.parametrize("width", [1, 3, 4, 5, 7])
def test_weights_for_images_are_unpacked(width: int) -> None:
    """The kernel's rows are padded to a multiple of four, and the buffer is twice as long."""
    values = np.random.default_rng(width).integers(-128, 128, (7, 3, 3, width), np.int8)
    tensor, data = image_weight(values)
    model = cast("Model", SimpleNamespace(constant_bytes=lambda graph, tensor: memoryview(data)))
    graph = cast("Graph", None)
    assert is_image_weight(model, graph, tensor)
    assert np.array_equal(unpack_image_weight(model, graph, tensor)[:, :3], values)


def test_an_ordinary_weight_is_not_mistaken_for_an_images() -> None:
    """Only the length of the buffer distinguishes them."""
    tensor, data = image_weight(np.ones((8, 4, 3, 3), np.int8))
    ordinary = data[: math.prod(tensor.native_shape)]
    model = cast("Model", SimpleNamespace(constant_bytes=lambda graph, tensor: memoryview(ordinary)))
    assert not is_image_weight(model, cast("Graph", None), tensor)


@pytest.mark.parametrize(
    ("suffix", "functions"),
    [
        ("", ()),
        ("LeakyReluAdd", ("LeakyRelu", "Add")),
        ("AddRelu", ("Add", "Relu")),
        ("exGelu", ("Gelu",)),
        ("HardSwish", ("HardSwish",)),
        ("HardSigmoidMul", ("HardSigmoid", "Mul")),
        ("PReluClip", ("PRelu", "Clip")),
    ],
)
def test_reads_fused_functions_from_the_name(suffix: str, functions: tuple[str, ...]) -> None:
    """The longest name wins: HardSwish is not Swish, and LeakyRelu is not Relu."""
    assert fused_functions(suffix) == functions


def test_refuses_an_unknown_fused_function() -> None:
    """Leaving it out would give wrong numbers."""
    with pytest.raises(UnsupportedFormError, match="ReluSoftplux"):
        fused_functions("ReluSoftplux")
