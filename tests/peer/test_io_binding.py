# SPDX-License-Identifier: Apache-2.0
"""Zero copy as programs for that library use it, and its defects 7, 9, 10, 12 and 17, all absent here.

Elsewhere: every detail of values (tests/session/test_*value*.py) and of bindings (tests/session/test_*bind*.py).
What differs on purpose: numbers of quantised and float16 values are read as float32 (``output_dtype="native"`` brings
the raw ones back), outputs that are not bound keep their memory from run to run, and the ``device_type`` must exist.
"""

from __future__ import annotations

import gc
import os
from types import ModuleType
from typing import Any, Callable

import numpy as np
import pytest

from ..session.conftest import feed_of
from .conftest import OpenSession

Configure = Callable[[str], None]

# A program as in that library's documentation: device values in, device values out, everything by keyword.
PROGRAM = """
session = api.InferenceSession(path, provider_options=api.make_provider_options(layout="nhwc"))
(x,), (y,) = session.get_inputs(), session.get_outputs()
native = session.get_native_inputs()[0]
assert (native.name, native.layout) == (x.name, "NHWC")
frame = np.random.default_rng(9).integers(-128, 128, x.shape).astype(np.int8)
value = api.OrtValue.ortvalue_from_numpy(
    frame, "rknpu2", 0, name=x.name, session=session, io_kind="input", layout="onnx", sync=True
)
result = api.OrtValue.ortvalue_from_shape_and_type(
    y.shape, np.int8, "rknpu2", 0, name=y.name, session=session, io_kind="output", layout="native",
    mem_flags="non_cacheable",
)
assert value.is_tensor() and value.has_value() and value.device_name() == value.device_type() == "rknpu2"
assert value.element_type() == "tensor(int8)" and value.shape() == x.shape and value.data_ptr() != 0
assert value.memory_info()["dmabuf_backed"] and value.memory_info()["size"] >= frame.nbytes
binding = session.io_binding()
assert isinstance(binding, api.SessionIOBinding)
binding.bind_ortvalue_input(x.name, value)
binding.bind_ortvalue_output(y.name, result)
binding.synchronize_inputs()
session.run_with_iobinding(binding, None)
binding.synchronize_outputs()
(output,) = binding.get_outputs()
output.sync_from_device()
binding.clear_binding_outputs()
binding.bind_output(y.name, "cpu", 0, np.int8, y.shape, None, layout="native", mem_flags="cacheable")
session.run_with_iobinding(binding)
(copy,) = binding.copy_outputs_to_cpu()
value.update_inplace(np.zeros_like(frame))
value.sync_to_device()
session.run_with_iobinding(binding)
changed = binding.copy_outputs_to_cpu()[0]
"""


def run(program: str, api: ModuleType, path: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"api": api, "path": str(path), "np": np}
    exec(program, names)
    return names


def test_a_documented_program_runs_unchanged(api: ModuleType, data: Any, simulated_npu: Configure) -> None:
    """It runs under both import names, and computes what run() does."""
    simulated_npu("compute=on")
    names = run(PROGRAM, api, data / "conv_c4_int8.rknn")
    session = names["session"]
    expected = session.run(None, {names["x"].name: names["frame"]}, {"output_dtype": "native"})[0]
    assert np.array_equal(names["copy"], expected)
    assert np.array_equal(names["output"].numpy("native"), expected)
    assert not np.array_equal(names["changed"], expected)
    session.close()


def test_defect_7_native_blocks_are_converted(open_session: OpenSession, api: ModuleType) -> None:
    """numpy() overran the heap and update_inplace() wrote nothing, or in the wrong order."""
    session = open_session("conv_c5_int8", zero_copy_layout="native")
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    for arg, kind in ((x, "input"), (y, "output")):
        integers = np.random.default_rng(10).integers(-128, 128, arg.shape, np.int8)
        value = api.OrtValue.ortvalue_from_shape_and_type(
            arg.shape, np.int8, "rknpu2", name=arg.name, session=session, io_kind=kind
        )
        assert value.memory_info()["layout"] == "NC1HWC2"
        value.update_inplace(integers)
        assert np.array_equal(value.numpy("native"), integers)


def test_defect_9_the_offset_of_a_dmabuf_counts_for_the_cpu(open_session: OpenSession, api: ModuleType) -> None:
    """A dma-buf that is too small is refused when it is imported, not when the NPU runs past its end."""
    session = open_session("conv_c4_int8")
    (x,) = session.get_inputs()
    size, offset = int(np.prod(x.shape)), 4096
    fd = os.memfd_create("frame")
    os.truncate(fd, offset + size)
    where = {"session": session, "name": x.name, "io_kind": "input", "virt_addr": None, "layout": "native"}
    value = api.OrtValue.ortvalue_from_dmabuf(fd, x.shape, np.int8, size=size, offset=offset, **where)
    integers = np.random.default_rng(11).integers(1, 128, x.shape, np.int8)
    value.update_inplace(integers)
    assert os.pread(fd, offset, 0) == bytes(offset)
    assert os.pread(fd, size, offset) == integers.transpose(0, 2, 3, 1).tobytes()
    with pytest.raises(RuntimeError, match="bytes"):
        api.OrtValue.ortvalue_from_dmabuf(fd, x.shape, np.int8, size=size, offset=offset + 1, **where)
    with pytest.raises(RuntimeError, match="needs"):
        api.OrtValue.ortvalue_from_dmabuf(fd, x.shape, np.int8, size=size - 1, **where)
    os.close(fd)


def test_defect_10_outputs_are_kept_by_name(open_session: OpenSession) -> None:
    """Another device for a name replaces the former one; a name bound twice is one output; after a run, others can be
    bound.
    """
    session = open_session("two_inputs_fp16")
    first, second, *_ = session.get_outputs()
    binding = session.io_binding()
    for name, array in feed_of(session).items():
        binding.bind_cpu_input(name, array)
    session.run_with_iobinding(binding)
    binding.bind_output(second.name, "rknpu2")
    binding.bind_output(second.name, "cpu")
    session.run_with_iobinding(binding)
    assert [(v.device_name(), v.shape()) for v in binding.get_outputs()] == [("cpu", second.shape)]
    assert first.shape != second.shape


def test_defect_12_floats_are_quantised(open_session: OpenSession, api: ModuleType) -> None:
    """0.7 became 0, and neither scale nor zero point was available."""
    session = open_session("tiny_conv_int8")
    (x,) = session.get_inputs()
    array = np.full(x.shape, 0.7, np.float32)
    value = api.OrtValue.ortvalue_from_numpy(array, "rknpu2", name=x.name, session=session, io_kind="input")
    info = value.memory_info()
    assert np.allclose(value.numpy(), 0.7, atol=info["scale"] / 2 + 1e-6)
    assert np.allclose((value.numpy("native").astype(int) - info["zero_point"]) * info["scale"], value.numpy())
    binding = session.io_binding()
    binding.bind_cpu_input(x.name, array)
    session.run_with_iobinding(binding)
    assert binding.get_outputs()[0].memory_info()["scale"] == session.get_outputs()[0].quantization.scale  # type: ignore[union-attr]


def test_defect_17_a_binding_may_outlive_its_session(api: ModuleType, data: Any) -> None:
    """It kept a dangling pointer. Here it keeps what it needs, and its values stay readable."""
    binding = api.InferenceSession(str(data / "tiny_conv_int8.rknn")).io_binding()
    gc.collect()
    assert binding.get_outputs() == []
    session = api.InferenceSession(str(data / "tiny_conv_int8.rknn"))
    binding = session.io_binding()
    binding.bind_cpu_input("x", np.zeros(session.get_inputs()[0].shape, np.float32))
    session.run_with_iobinding(binding)
    shape = session.get_outputs()[0].shape
    session.close()
    del session
    gc.collect()
    assert binding.copy_outputs_to_cpu()[0].shape == tuple(shape)
