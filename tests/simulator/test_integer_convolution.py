# SPDX-License-Identifier: Apache-2.0
"""Convolutions in integers: the same numbers, in a quarter of the memory."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ez_rknn_async.model import DType, Graph, Kind, Layout, Quantization, Tensor, load
from ez_rknn_async.model.operators.convolution import Convolution
from ez_rknn_async.model.operators.convolution_weight import Weight
from ez_rknn_async.simulator.executable import Executable, open_session
from ez_rknn_async.simulator.loaded import LoadedModel
from ez_rknn_async.simulator.lowering import builder, byte_kernels, integer_convolution, lower
from ez_rknn_async.simulator.lowering.borders import native_input
from ez_rknn_async.simulator.lowering.builder import GraphBuilder
from ez_rknn_async.simulator.lowering.layout import Layouts
from ez_rknn_async.simulator.lowering.lowered import GraphPort
from ez_rknn_async.simulator.stages import split

from .recordings import executable, recording
from .test_lowering import run
from .zoo import cosine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ez_rknn_async.model import Model
    from ez_rknn_async.simulator.lowering import Lowered

    from .recordings import Recording

PRODUCT = "MatMulIntegerToFloat"
INT8 = [one for one in executable() if "int8" in one.name]
# The type for this processor, and the one for every processor.
TYPES = sorted({byte_kernels.weight_type(), np.uint8}, key=lambda kind: kind.__name__)


@pytest.fixture
def all_in_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let even the small convolutions of the test models use integers."""
    monkeypatch.setattr(integer_convolution, "SMALLEST_WEIGHT", 1)


@pytest.fixture(params=TYPES, ids=lambda kind: kind.__name__)
def weight_type(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[np.generic]:
    """Each type of weights that is exact here."""
    monkeypatch.setattr(byte_kernels, "weight_type", lambda: request.param)
    return cast("type[np.generic]", request.param)


def products(lowered: Lowered) -> list[onnx.NodeProto]:
    return [node for node in lowered.skeleton.graph.node if node.op_type == PRODUCT]


def convolution(
    rng: np.random.Generator,
    channels: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
) -> Convolution:
    """Return a convolution with random weights, scales and zero points; channels are (Cout, Cin)."""
    per_channel = (channels[0], 1, 1, 1)
    return Convolution(
        weight=Weight(
            rng.integers(-128, 128, (*channels, *kernel)).astype(np.int8),
            rng.uniform(0.5, 2, per_channel),
            rng.integers(-127, 129, per_channel).astype(np.float64),
        ),
        bias=rng.uniform(-1000, 1000, channels[0]).astype(np.float32),
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=1,
        transposed=False,
        output_padding=(0, 0),
        stages=(),
    )


def tensor(index: int, shape: tuple[int, ...], zero_point: int) -> Tensor:
    quantization = Quantization((0.25,), (zero_point,))
    return Tensor(index, f"t{index}", DType.INT8, Layout.PLAIN, Kind.INPUT, shape, shape, quantization, 0, 0)


def lowered_alone(decoded: Convolution, source: tuple[int, ...], result: tuple[int, ...], zero_point: int) -> Lowered:
    """Return a graph of this one convolution: int8 in, real numbers out."""
    graph = Graph((tensor(0, source, zero_point), tensor(1, result, 0)), (), (0,), (1,), (None,))
    to = GraphBuilder(cast("Model", SimpleNamespace(stored_bytes=1 << 20)), graph)
    port = native_input(to, 0)
    value = integer_convolution.convolve_integers(decoded, 0, 1, to)
    assert value is not None
    to.name(value, "y")
    return to.finish([port], [GraphPort("y", onnx.TensorProto.FLOAT, result)])


def expected(decoded: Convolution, source: NDArray[np.int8], zero_point: int, size: tuple[int, int]) -> NDArray[Any]:
    """Compute the definition: one window after the other, in 64-bit integers."""
    top, left, bottom, right = decoded.pads
    padded = np.pad(source[0].astype(np.int64) - zero_point, ((0, 0), (top, bottom), (left, right)))
    assert decoded.weight.offset is not None
    assert decoded.weight.scale is not None
    assert decoded.bias is not None
    weight = decoded.weight.numbers.astype(np.int64) + decoded.weight.offset.astype(np.int64)
    sums = np.empty((len(weight), *size), np.int64)
    for y, x in np.ndindex(*size):
        reach = [
            slice(place * stride, place * stride + (width - 1) * dilation + 1, dilation)
            for place, stride, width, dilation in zip((y, x), decoded.strides, weight.shape[2:], decoded.dilations)
        ]
        window = (slice(None), *reach)
        sums[:, y, x] = (weight * padded[window]).sum(axis=(1, 2, 3))
    real: NDArray[Any] = sums * decoded.weight.scale[:, :, 0] * 0.25 + decoded.bias[:, None, None]
    return real[None]


sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))


@pytest.mark.usefixtures("all_in_integers")
@settings(max_examples=40, deadline=None)
@given(
    kernel=sizes,
    strides=sizes,
    dilations=sizes,
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    channels=st.tuples(st.integers(1, 20), st.integers(1, 40)),
    zero_point=st.integers(-128, 127),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_geometry_sums_up_its_windows(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, int, int, int],
    channels: tuple[int, int],
    zero_point: int,
    seed: int,
) -> None:
    """There are kernels, strides, dilations and pads of all kinds; pads hold the zero point, not the byte 0."""
    rng = np.random.default_rng(seed)
    decoded = convolution(rng, channels, kernel, strides, pads, dilations)
    source = rng.integers(-128, 128, (1, channels[1], 7, 6)).astype(np.int8)
    ends = (pads[0] + pads[2], pads[1] + pads[3])
    extents = [
        (length + end - (width - 1) * dilation - 1) // stride + 1
        for length, end, width, dilation, stride in zip((7, 6), ends, kernel, dilations, strides)
    ]
    assume(min(extents) > 0)
    size = (extents[0], extents[1])
    session = open_session(lowered_alone(decoded, source.shape, (1, channels[0], *size), zero_point))
    (real,) = session.run(None, {"t0": source})
    # Exact but for the roundings of scale, product and sum to float32.
    reference = expected(decoded, source, zero_point, size)
    assert np.abs(real - reference).max() <= 4e-7 * (np.abs(reference).max() + 1000)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("shape", [(1, 2048, 33), (49, 4608, 512), (5, 3, 2)])
def test_the_kernels_in_use_are_exact(kind: type[np.integer], shape: tuple[int, int, int]) -> None:
    """With random bytes, and a row and a column of the largest, nothing saturates on the way to 32 bits."""
    rows, length, columns = shape
    rng = np.random.default_rng(length)
    left = rng.integers(0, 256, (rows, length)).astype(np.uint8)
    right = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, (length, columns)).astype(kind)
    left[0], right[:, 0] = 255, np.iinfo(kind).max
    sums = left.astype(np.int64) @ right.astype(np.int64)
    assert np.array_equal(byte_kernels._product(left, right), sums.astype(np.float32))


def test_does_not_use_a_kernel_that_saturates(monkeypatch: pytest.MonkeyPatch) -> None:
    """x86 without VNNI adds two products in 16 bits; weights without a sign are exact there."""

    def saturating(left: NDArray[np.uint8], right: NDArray[np.int8]) -> NDArray[Any]:
        products = left[:, :, None].astype(np.int64) * right.astype(np.int64)
        pairs = np.add.reduceat(products, np.arange(0, left.shape[1], 2), axis=1)
        return np.clip(pairs, -(1 << 15), (1 << 15) - 1).sum(axis=1).astype(np.float32)

    monkeypatch.setattr(byte_kernels, "_SHAPES", ((2, 6, 2),))
    monkeypatch.setattr(byte_kernels, "_product", saturating)
    byte_kernels.weight_type.cache_clear()
    try:
        assert byte_kernels.weight_type() is np.uint8
    finally:
        byte_kernels.weight_type.cache_clear()


@pytest.mark.usefixtures("all_in_integers", "weight_type")
@pytest.mark.parametrize("model", INT8, ids=lambda model: model.name)
def test_models_in_integers_match_the_official_simulator(model: Recording) -> None:
    """Every committed int8 model is tested, even with small convolutions."""
    for inputs, wanted in model.cases():
        for ours, theirs in zip(run(model, inputs), wanted):
            assert cosine(ours, theirs) >= model.cosine


@pytest.mark.usefixtures("all_in_integers")
def test_onnx_runtimes_optimiser_does_not_move_transposes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It exchanges rows and channels of this model if it finds transposes to move."""
    model = recording("residual_int8")
    ((inputs, _),) = model.cases()
    moved = run(model, inputs)
    monkeypatch.setattr(Layouts, "_follows", lambda *_: False)
    monkeypatch.setattr(Layouts, "_dequantize", lambda to, names, attributes: to._add("DequantizeLinear", *names))
    for ours, theirs in zip(run(model, inputs), moved):
        assert np.array_equal(ours, theirs)


def test_int8_weights_stay_eight_bits_wide() -> None:
    """A model of 26 MB would take 400 MB to load in float32: ONNX Runtime gets a byte for each number."""
    decoded = convolution(np.random.default_rng(0), (64, 128), (3, 3))
    lowered = lowered_alone(decoded, (1, 128, 5, 5), (1, 64, 3, 3), 0)
    assert len(products(lowered)) == 1
    wide = {name: array.dtype for name, array in lowered.weights.items() if array.itemsize > 1}
    assert not wide
    assert sum(array.nbytes for array in lowered.weights.values()) == decoded.weight.numbers.size


@pytest.mark.usefixtures("all_in_integers")
@pytest.mark.parametrize("model", INT8, ids=lambda model: model.name)
def test_convolutions_of_a_whole_model_stay_eight_bits_wide(model: Recording) -> None:
    """Only depthwise ones, whose weights are few, have weights in float32."""
    with load(str(model.path)) as loaded:
        lowered = lower(loaded)
    for node in lowered.skeleton.graph.node:
        assert node.op_type != "Conv" or next(one.i for one in node.attribute if one.name == "group") > 1


def test_a_small_kernel_is_computed_in_float32() -> None:
    """Laying out its windows would take longer than computing, and its weights take little memory."""
    with load(str(recording("block_int8").path)) as model:
        assert not products(lower(model))


@pytest.mark.usefixtures("all_in_integers")
@pytest.mark.parametrize("off", [{"integers": False}, {"rounding": False}])
def test_exported_models_use_standard_onnx(off: dict[str, Any]) -> None:
    """Only ONNX Runtime knows the integer operator."""
    with load(str(recording("block_int8").path)) as model:
        lowered = lower(model, io="float", **off)
    assert {opset.domain for opset in lowered.skeleton.opset_import} == {""}


def test_the_graphs_of_a_dynamic_model_share_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model for five sizes of image would otherwise take five times the memory."""
    monkeypatch.setattr(builder, "EMBEDDED_BYTES", 64)  # its weights are small
    with load(str(recording("dynamic_fp16").path)) as model:
        graphs = Executable(model).stages
    kernels = [[array for array in stage.weights.values() if array.ndim == 4] for (stage,) in graphs]
    assert len(graphs) > 1
    assert kernels[0]
    for others in kernels[1:]:
        assert all(ours is theirs for ours, theirs in zip(kernels[0], others))


def test_the_file_is_not_in_memory_while_sessions_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are in memory twice by then; the file must not wait for the collector of cycles."""
    path = recording("block_int8").path
    mapped: list[bool] = []
    real = Executable.open

    def spy(one: Executable) -> Any:
        mapped.append(str(path) in Path("/proc/self/maps").read_text())
        return real(one)

    monkeypatch.setattr(Executable, "open", spy)
    gc.disable()
    try:
        with path.open("rb") as file:
            LoadedModel(file.fileno()).close()
    finally:
        gc.enable()
    assert mapped == [False]


@pytest.mark.parametrize("offset", [-128, 129])
@pytest.mark.usefixtures("all_in_integers")
def test_a_zero_point_that_does_not_fit_a_byte_uses_float32(offset: int) -> None:
    """It would wrap around, and every number of the channel would be wrong."""
    decoded = convolution(np.random.default_rng(0), (2, 3), (1, 1))
    assert decoded.weight.offset is not None
    decoded.weight.offset[1] = offset
    with pytest.raises(AssertionError):
        lowered_alone(decoded, (1, 3, 2, 2), (1, 2, 2, 2), 0)


@pytest.mark.usefixtures("all_in_integers")
def test_a_graph_in_integers_can_be_cut_at_custom_operators() -> None:
    """Lowering writes down the shapes behind ONNX Runtime's own operators: ONNX cannot infer them."""
    with load(str(recording("custom_blend_int8").path)) as model:
        lowered = lower(model)
    assert products(lowered)
    for stage in split(lowered):
        open_session(stage)
