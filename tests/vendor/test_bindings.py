# SPDX-License-Identifier: Apache-2.0
"""Bindings: the NPU's input for each way to bind an input, and the result for each way to bind an output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, IOBinding, OrtValue

from .conftest import OpenSession
from .npu import DESTINATIONS, FakeNpu
from .places import Watch, images_of, plant
from .raw import Raw

# Images of 1, 3, 4, 5 and 16 channels, rows and planes of odd sizes, normalisation, several tensors, and other tensors.
MODELS = ["conv_c1_int8", "conv_c4_fp16", "conv_c5_int8", "conv_c16_fp16", "odd_size_int8", "odd_size_fp16"]
MODELS += ["mean_std_int8", "two_inputs_int8", "vector_int8", "vector_fp16", "residual_fp16"]


def value_of(session: InferenceSession, name: str, array: Any) -> OrtValue:
    """Return a value on the NPU; pixels stay pixels if they can."""
    return OrtValue.ortvalue_from_numpy(array, "rknpu2", name=name, session=session, io_kind="input")


class Camera:
    """A dma-buf, played by a memfd, with room for an input in front and behind."""

    def __init__(self, session: InferenceSession, name: str, array: np.ndarray) -> None:
        like = value_of(session, name, array)
        size = like.memory_info()["size_with_stride"]
        self.fd = os.memfd_create("camera")
        os.truncate(self.fd, 4096 + size + 4096)
        pixels = np.uint8 if like.element_type() == "tensor(uint8)" else None
        self.value = OrtValue.ortvalue_from_dmabuf(
            self.fd, array.shape, pixels, size=size, offset=4096, session=session, name=name, io_kind="input"
        )
        self.value.update_inplace(array)
        os.close(self.fd)


def bind_npu_address(binding: IOBinding, session: InferenceSession, name: str, array: np.ndarray) -> Any:
    """Bind as a program for ONNX Runtime does: binding by address leaves the caller to keep the value."""
    value = value_of(session, name, array)
    binding.bind_input(name, "rknpu2", 0, array.dtype, array.shape, value.data_ptr())
    return value


def bind_cpu_address(binding: IOBinding, session: InferenceSession, name: str, array: np.ndarray) -> Any:
    binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    return array


# The result of each is kept until the binding has run.
INPUT_FORMS: dict[str, Callable[[IOBinding, InferenceSession, str, np.ndarray], Any]] = {
    "bind_cpu_input": lambda b, s, n, a: b.bind_cpu_input(n, a),
    "bind_input of an array": bind_cpu_address,
    "bind_input of a value": bind_npu_address,
    "bind_ortvalue_input on the CPU": lambda b, s, n, a: b.bind_ortvalue_input(n, OrtValue.ortvalue_from_numpy(a)),
    "bind_ortvalue_input on the NPU": lambda b, s, n, a: b.bind_ortvalue_input(n, value_of(s, n, a)),
    "bind_ortvalue_input of a dma-buf": lambda b, s, n, a: b.bind_ortvalue_input(n, Camera(s, n, a).value),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("layout", ["nhwc", "native"])
@pytest.mark.parametrize("model", MODELS)
def test_each_way_to_bind_an_input_gives_the_npu_the_librarys_own_bytes(
    model: str, layout: str, dtype: type, open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """Values in the NPU's memory, the program's or a camera's must equal what rknn_inputs_set would write."""
    context, session = raw(model), open_session(model, layout="nhwc", zero_copy_layout=layout)
    images, watch = images_of(context, dtype), Watch(raw(model), npu)
    context.run(images)
    expected, right = watch.take(), {}
    for form, bind in INPUT_FORMS.items():
        binding = session.io_binding()
        kept = [bind(binding, session, name, image) for name, image in zip(session.input_names, images)]
        session.run_with_iobinding(binding)
        right[form] = watch.take() == expected
        del kept
    assert right == dict.fromkeys(INPUT_FORMS, True)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("model", ["conv_c4_fp16", "conv_c5_int8", "odd_size_int8", "two_inputs_int8", "vector_int8"])
def test_the_npu_reads_and_writes_values_in_place(
    model: str, dtype: type, open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """Zero copy: the addresses in the commands are those of the values' own memory. (The library itself copies
    outputs that are not images, and it converts pixels for float16 models and for more than four channels.)"""
    context, session = raw(model), open_session(model, layout="nhwc", zero_copy_layout="native")
    watch, binding = Watch(context, npu), session.io_binding()
    before, direct = len(npu.memories()), []
    for name, image, attribute in zip(session.input_names, images_of(context, dtype), context.inputs):
        value = value_of(session, name, image)
        binding.bind_ortvalue_input(name, value)
        direct.append(value.element_type() != "tensor(uint8)" or attribute.dtype == np.int8)
    values = npu.memories()[before:]
    for name in session.output_names:
        binding.bind_output(name, "rknpu2")
    outputs = npu.memories()[before + len(values) :]
    npu.submissions.clear()
    session.run_with_iobinding(binding)
    assert [watch.addresses[i] == value.address for i, value in enumerate(values)] == direct
    written = {
        task.get(register) for s in npu.submissions for task in s.registers.values() for register in DESTINATIONS
    }
    for attribute, memory in zip(context.outputs, outputs):
        assert (memory.address in written) == (len(attribute.shape) == 4)


# ---- Outputs ----


def into_an_array(binding: IOBinding, name: str, shape: list[int], dtype: Any) -> OrtValue:
    array = np.zeros(shape, dtype)
    binding.bind_output(name, "cpu", 0, dtype, shape, array.ctypes.data)
    return OrtValue.ortvalue_from_numpy(array)


def into_a_value(binding: IOBinding, value: OrtValue, name: str) -> OrtValue:
    binding.bind_ortvalue_output(name, value)
    return value


def output_forms(session: InferenceSession, name: str, shape: list[int], native: Any) -> Iterator[tuple[str, Any]]:
    """Return each way to bind an output; called with a binding it returns the value, or None for that of
    ``get_outputs()``."""
    yield "not bound", lambda b: None
    yield "bind_output", lambda b: b.bind_output(name)
    yield "bind_output native", lambda b: b.bind_output(name, element_type=native)
    yield "bind_output to an array", lambda b: into_an_array(b, name, shape, np.float32)
    yield "bind_output to a native array", lambda b: into_an_array(b, name, shape, native)
    yield "bind_output on the NPU", lambda b: b.bind_output(name, "rknpu2")
    for layout in ("nhwc", "nc1hwc2"):
        yield f"bind_output {layout}", lambda b, k=layout: b.bind_output(name, "rknpu2", layout=k)
    given = OrtValue.ortvalue_from_shape_and_type(shape, None, "rknpu2", session=session, name=name, io_kind="output")
    yield "bind_ortvalue_output on the NPU", lambda b: into_a_value(b, given, name)
    own = OrtValue.ortvalue_from_shape_and_type(shape, np.float32)
    yield "bind_ortvalue_output on the CPU", lambda b: into_a_value(b, own, name)


@pytest.mark.parametrize("layout", ["nhwc", "native"])
@pytest.mark.parametrize("model", [*MODELS, "sequence_int8", "sequence_fp16", "reshapes_int8", "gates_int8"])
def test_each_way_to_bind_an_output_returns_the_planted_numbers(
    model: str, layout: str, open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """The native type is bit for bit that of rknn_outputs_get, float32 that of run()."""
    context, session = raw(model), open_session(model, zero_copy_layout=layout)
    npu.compute(plant)
    expected = context.run([np.zeros(i.shape, np.uint8) for i in context.inputs])
    feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
    dequantised = session.run(None, feed)
    for index, (native, real) in enumerate(zip(expected, dequantised)):
        name, wrong = session.output_names[index], []
        for form, bind in output_forms(session, name, list(native.shape), native.dtype):
            binding = session.io_binding()
            for key, array in feed.items():
                binding.bind_cpu_input(key, array)
            value = bind(binding)
            session.run_with_iobinding(binding)
            results = binding.get_outputs()
            found = value or results[index if form == "not bound" else 0]
            dtype = "native" if found.device_name() == "rknpu2" else None
            ours = [found.numpy(dtype)] + ([found.numpy(np.float32)] if dtype else [])
            theirs = [native if ours[0].dtype == native.dtype else real, real]
            if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(ours, theirs)):
                wrong.append(form)
        assert not wrong, name


# ---- Alternating ways ----


def test_pixels_floats_and_converted_layouts_can_alternate(
    open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """1.5.2 silently computes wrongly once the kind of an input's binding changes on a context: each kind has a
    separate context, among ordinary runs, too."""
    model = "two_inputs_int8"
    session = open_session(model, layout="nhwc", schedule=[0, 1])
    watch, arrays, expected = Watch(raw(model), npu), {}, {}
    for seed, dtype in enumerate((np.uint8, np.float32)):
        context = raw(model)
        arrays[dtype] = images_of(context, dtype, seed)
        context.run(arrays[dtype])
        expected[dtype] = watch.take()
    for layout in ("native", "nhwc", "native"):
        for dtype, images in (*arrays.items(), *arrays.items()):
            binding = session.io_binding()
            for name, image in zip(session.input_names, images):
                binding.bind_ortvalue_input(name, value_of(session, name, image))
            binding.bind_output(session.output_names[0], "rknpu2", layout=layout.replace("native", "nc1hwc2"))
            session.run_with_iobinding(binding)
            assert watch.take() == expected[dtype]
            session.run(None, dict(zip(session.input_names, images)))
            assert watch.take() == expected[dtype]
