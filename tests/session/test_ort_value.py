"""``OrtValue``: numbers on the CPU and in memory of the NPU."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    OrtValue,
    RknnClosedError,
    RknnTypeError,
    RknnValueError,
)
from ez_rknn_async.runtime.abi import ffi
from ez_rknn_async.runtime.memory import FLAGS, Memory

from .conftest import OpenSession, feed_of

PAGE = os.sysconf("SC_PAGESIZE")


def on_npu(session: InferenceSession, array: Any, name: str = "x", **keywords: Any) -> OrtValue:
    return OrtValue.ortvalue_from_numpy(array, "rknpu2", 0, name=name, session=session, **keywords)


def room(session: InferenceSession, name: str, element_type: Any = None, **keywords: Any) -> OrtValue:
    shapes = {n.name: n.shape for n in (*session.get_inputs(), *session.get_outputs())}
    return OrtValue.ortvalue_from_shape_and_type(
        shapes[name], element_type, "rknpu2", 0, session=session, name=name, **keywords
    )


def raw_bytes(value: OrtValue) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What is in the memory of a value, as the NPU sees it."""
    size = value.memory_info()["size_with_stride"]
    return np.frombuffer(ffi.buffer(ffi.cast("char *", value.data_ptr()), size), np.uint8).copy()


def memory_files() -> int:
    """How many pieces of memory the simulated NPU has made in this process and not yet taken back."""
    gc.collect()
    paths = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sum("ez_rknn_memory" in os.readlink(path) for path in paths if os.path.islink(path))


@contextmanager
def memfd(size: int) -> Iterator[int]:
    """A file in memory, which stands for the dma-buf of a camera."""
    fd = os.memfd_create("camera")
    os.truncate(fd, size)
    try:
        yield fd
    finally:
        os.close(fd)


# ---- On the CPU ----


def test_a_value_on_the_cpu_shares_the_memory_of_its_array() -> None:
    """As in ONNX Runtime; numpy() is a copy all the same."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    value = OrtValue.ortvalue_from_numpy(array)
    array[0, 0] = 7
    assert value.numpy()[0, 0] == 7
    assert not np.may_share_memory(value.numpy(), array)
    assert np.may_share_memory(np.asarray(value), array)
    assert value.data_ptr() == array.ctypes.data


def test_what_a_value_is() -> None:
    """The questions of ONNX Runtime and of the library that this one replaces."""
    value = OrtValue.ortvalue_from_shape_and_type([2, 3], np.float16)
    assert (value.shape(), value.data_type(), value.device_name(), value.device_type()) == (
        [2, 3],
        "tensor(float16)",
        "cpu",
        "cpu",
    )
    assert value.element_type() == 10
    assert value.element_type() == "tensor(float16)"
    assert value.element_type() != "tensor(float)"
    assert f"{value.element_type()}" == "tensor(float16)"
    assert value.memory_info() == {"device_type": "cpu", "device_id": 0}
    assert value.is_tensor()
    assert value.has_value()
    assert not value.is_sparse_tensor()
    assert not value.is_tensor_sequence()
    assert value.tensor_size_in_bytes() == 12
    assert value.device_id() == 0
    assert not value.numpy().any()


@pytest.mark.parametrize("element_type", [np.int64, "int64", 7, "tensor(int64)", np.dtype(">i8")])
def test_an_element_type_may_be_named_in_every_usual_way(element_type: Any) -> None:
    """numpy's types, ONNX's numbers and ONNX's names."""
    assert OrtValue.ortvalue_from_shape_and_type([1], element_type).numpy().dtype == np.int64


def test_any_array_becomes_a_value() -> None:
    """Read-only, strided, of foreign byte order: all are numbers."""
    array = np.arange(12.0, dtype=">f4").reshape(3, 4)
    frozen = array.astype(np.float32)
    frozen.flags.writeable = False
    for source in (array.T, frozen, frozen[:, ::2], [[1.0, 2.0]]):
        assert np.array_equal(OrtValue.ortvalue_from_numpy(source).numpy(), np.asarray(source))


def test_a_value_of_a_read_only_array_is_not_updated() -> None:
    """The array is somebody's; nothing is written through the back door."""
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    with pytest.raises(RknnValueError, match="read-only"):
        OrtValue.ortvalue_from_numpy(array).update_inplace(np.ones(3, np.float32))


def test_updating_wants_the_same_shape_and_type() -> None:
    """As ONNX Runtime does: a silent cast would be a silent loss."""
    value = OrtValue.ortvalue_from_numpy(np.zeros(3, np.float32))
    value.update_inplace(np.ones(3, np.float32))
    assert value.numpy().tolist() == [1, 1, 1]
    for wrong in (np.ones(4, np.float32), np.ones(3, np.float64)):
        with pytest.raises(RknnValueError, match="type float32 and shape"):
            value.update_inplace(wrong)


def test_dlpack_shares_the_memory_of_a_value_on_the_cpu() -> None:
    """In both directions."""
    array = np.arange(4, dtype=np.float32)
    value = OrtValue.from_dlpack(array)
    assert value.__dlpack_device__() == (1, 0)
    assert np.may_share_memory(np.from_dlpack(value), array)  # type: ignore[arg-type]


def test_bits_may_be_given_another_type() -> None:
    """ONNX Runtime's way to pass types that numpy lacks."""
    value = OrtValue.ortvalue_from_numpy_with_onnx_type(np.array([0x3C00], np.uint16), 10)
    assert value.numpy() == np.float16(1)
    with pytest.raises(RknnValueError, match="differ in size"):
        OrtValue.ortvalue_from_numpy_with_onnx_type(np.zeros(1, np.uint16), 1)


# ---- On the NPU: numbers ----


@pytest.mark.parametrize("layout", ["native", "nhwc"])
@pytest.mark.parametrize("model", ["conv_c1_int8", "conv_c4_int8", "conv_c5_int8", "conv_c16_int8", "vector_int8"])
def test_floats_are_quantised_and_read_as_floats_again(open_session: OpenSession, model: str, layout: str) -> None:
    """The library that this one replaces cut them off to integers; here each is off by half a step at most."""
    session = open_session(model, zero_copy_layout=layout)
    (name, array), *_ = feed_of(session).items()
    value = on_npu(session, array, name)
    info = value.memory_info()
    assert value.data_type() == "tensor(int8)"
    assert value.numpy().dtype == np.float32
    assert np.abs(value.numpy() - array).max() <= info["scale"] / 2 + 1e-6
    integers = value.numpy("native")
    assert np.allclose((integers.astype(np.float32) - info["zero_point"]) * info["scale"], value.numpy())


@pytest.mark.parametrize("layout", ["native", "nhwc"])
@pytest.mark.parametrize("model", ["conv_c5_int8", "conv_c1_int8", "odd_size_int8", "vector_int8", "batch4_int8"])
def test_integers_of_the_tensors_own_type_are_taken_and_given_as_they_are(
    open_session: OpenSession, model: str, layout: str
) -> None:
    """For inputs and outputs, whatever the padding of their memory."""
    session = open_session(model, zero_copy_layout=layout)
    generator = np.random.default_rng(1)
    for arg, kind in ((session.get_inputs()[0], "input"), (session.get_outputs()[0], "output")):
        value = room(session, arg.name, io_kind=kind)
        integers = generator.integers(-128, 128, arg.shape, np.int8)
        value.update_inplace(integers)
        assert np.array_equal(value.numpy("native"), integers)


@pytest.mark.parametrize("model", ["mean_std_int8", "mean_std_fp16"])
def test_the_numbers_of_an_input_are_those_before_normalisation(open_session: OpenSession, model: str) -> None:
    """What goes in is what run() takes, so it is what comes out."""
    session = open_session(model)
    (name, array), *_ = feed_of(session).items()
    value = on_npu(session, array * 255, name)
    step = value.memory_info()["scale"] if "int8" in model else 0.01
    assert np.abs(value.numpy() - array * 255).max() < 255 * step


def test_uint8_images_stay_pixels(open_session: OpenSession) -> None:
    """The NPU itself normalises them, so a camera's frame needs no conversion."""
    session = open_session("mean_std_int8")
    (arg,) = session.get_inputs()
    pixels = np.random.default_rng(2).integers(0, 256, arg.shape, np.uint8)
    value = on_npu(session, pixels, arg.name)
    assert value.data_type() == "tensor(uint8)"
    assert np.array_equal(value.numpy("native"), pixels)
    assert np.array_equal(value.numpy(), pixels.astype(np.float32))
    with pytest.raises(RknnValueError, match="raw uint8 pixels and cannot take float32"):
        value.update_inplace(pixels.astype(np.float32))


def test_blocks_of_channels_are_packed_and_padded(open_session: OpenSession) -> None:
    """NC1HWC2 of five channels, against a packing in numpy; that library overran its buffers here."""
    session = open_session("conv_c5_int8", zero_copy_layout="native")
    (arg,) = session.get_inputs()
    integers = np.random.default_rng(3).integers(-128, 128, arg.shape, np.int8)
    value = on_npu(session, integers, arg.name)
    info = value.memory_info()
    assert info["layout"] == "NC1HWC2"
    n, c1, h, w, c2 = info["shape"]
    padded = np.zeros((n, c1 * c2, h, w), np.int8)
    padded[:, : arg.shape[1]] = integers
    expected = padded.reshape(n, c1, c2, h, w).transpose(0, 1, 3, 4, 2)
    view = np.ndarray(info["shape"], np.int8, raw_bytes(value), strides=info["strides"])
    assert np.array_equal(view, expected)


def test_rows_are_as_long_as_the_npu_wants_them(open_session: OpenSession) -> None:
    """NHWC with w_stride: the image is at the beginning of each row."""
    session = open_session("odd_size_int8")
    (arg,) = session.get_inputs()
    integers = np.random.default_rng(4).integers(-128, 128, arg.shape, np.int8)
    value = on_npu(session, integers, arg.name)
    info = value.memory_info()
    n, h, w, c = info["shape"]
    assert info["w_stride"] > w
    rows = raw_bytes(value)[: n * h * info["w_stride"] * c].view(np.int8).reshape(n, h, info["w_stride"], c)
    assert np.array_equal(rows[:, :, :w], integers.transpose(0, 2, 3, 1))


def test_the_session_says_in_which_type_outputs_are_read(open_session: OpenSession) -> None:
    """output_dtype goes for values too, and each call may say otherwise."""
    session = open_session("tiny_conv_int8", output_dtype="native")
    value = room(session, session.output_names[0])
    assert value.numpy().dtype == np.int8
    assert value.numpy(np.float32).dtype == np.float32
    with pytest.raises(RknnValueError, match="can be read as float32 or int8, not int32"):
        value.numpy(np.int32)


# ---- On the NPU: memory ----


def test_where_and_how_a_value_lies(open_session: OpenSession) -> None:
    """The keys of the library that this one replaces, and the quantisation."""
    session = open_session("tiny_conv_int8", schedule=[0, 1, 2])
    value = room(session, session.input_names[0])
    info = value.memory_info()
    arg = session.get_inputs()[0]
    assert arg.quantization is not None
    expected = {"device_type": "rknpu2", "device_id": 0, "dmabuf_backed": True, "import_count": 2, "offset": 0}
    assert {key: info[key] for key in expected} == expected
    assert (info["scale"], info["zero_point"]) == (arg.quantization.scale, arg.quantization.zero_point)
    assert {"size", "fd", "virt_addr", "attr_size", "size_with_stride", "w_stride", "h_stride"} <= set(info)
    assert {"fmt", "pass_through", "aligned_size", "core_id", "layout", "strides"} <= set(info)


@pytest.mark.parametrize(
    ("mem_flags", "flags", "syncs"),
    [
        ("cacheable", "cacheable", True),
        ("non_cacheable", "non_cacheable", False),
        ("uncached", "non_cacheable", False),
        ("try_sram", "try_sram", True),
        ("sram", "try_sram", True),
        (2, "non_cacheable", False),
        (None, "default", True),
    ],
)
def test_mem_flags_reach_the_runtime(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch, mem_flags: Any, flags: str, syncs: bool
) -> None:
    """That library read them and threw them away. Memory without a cache is not synchronised."""
    session = open_session()
    asked: list[int] = []
    synced: list[Memory] = []
    allocate = Memory.allocate

    def record(context: Any, size: int, flags: int = 0) -> Memory:
        asked.append(flags)
        return allocate(context, size, flags)

    monkeypatch.setattr(Memory, "allocate", record)
    monkeypatch.setattr(Memory, "to_device", lambda memory: synced.append(memory))
    value = room(session, session.input_names[0], mem_flags=mem_flags)
    value.update_inplace(np.zeros(value.shape(), np.float32))
    assert asked == [FLAGS[flags]]
    assert bool(synced) == syncs


def test_a_value_outlives_its_session(open_session: OpenSession) -> None:
    """Its memory is the session's, which is given back when the last value of it goes."""
    before = memory_files()
    session = open_session(schedule=[0, 1])
    array = feed_of(session)[session.input_names[0]]
    value = on_npu(session, array, session.input_names[0])
    session.close()
    assert np.allclose(value.numpy(), array, atol=value.memory_info()["scale"])
    with pytest.raises(RknnClosedError):
        room(session, session.input_names[0])
    del value
    assert memory_files() == before


def test_memory_is_given_back_with_its_value(open_session: OpenSession) -> None:
    """At once, and not with the session."""
    session = open_session()
    before = memory_files()
    value = room(session, session.input_names[0])
    assert memory_files() == before + 1
    gone = weakref.ref(value)
    del value
    assert gone() is None
    assert memory_files() == before


def test_a_value_collected_while_another_one_goes_waits_its_turn(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A garbage collection may come inside the release of a value, with a context's lock held; so none is nested."""
    session = open_session()
    before = memory_files()
    values = [room(session, session.input_names[0]) for _ in range(3)]
    free, under_way, nested = Memory.free, [0], []

    def collecting_free(memory: Memory) -> None:
        under_way[0] += 1
        nested.append(under_way[0] > 1)
        values.clear()
        free(memory)
        under_way[0] -= 1

    monkeypatch.setattr(Memory, "free", collecting_free)
    values.pop()
    assert nested == [False] * 3
    assert memory_files() == before


# ---- Somebody else's memory ----


@pytest.mark.parametrize("offset", [0, PAGE, 3 * PAGE])
def test_a_camera_frame_goes_in_from_where_it_lies(open_session: OpenSession, offset: int) -> None:
    """The offset counts for the NPU and for the CPU; that library forgot it for the CPU."""
    session = open_session("conv_c4_int8", simulator="compute=on")
    (arg,) = session.get_inputs()
    frame = np.random.default_rng(5).integers(0, 256, arg.shape, np.uint8)
    size = room(session, arg.name, np.uint8).memory_info()["size_with_stride"]
    with memfd(offset + size + PAGE) as fd:
        value = OrtValue.ortvalue_from_dmabuf(
            fd, arg.shape, np.uint8, size=size, offset=offset, session=session, name=arg.name, io_kind="input"
        )
        os.pwrite(fd, b"\xaa" * PAGE, offset + size)
        stride = value.memory_info()["w_stride"]
        n, c, h, w = arg.shape
        rows = np.zeros((n, h, stride, c), np.uint8)
        rows[:, :, :w] = frame.transpose(0, 2, 3, 1)
        os.pwrite(fd, rows.tobytes(), offset)  # as the camera would, behind the program's back
        assert os.pread(fd, PAGE, offset + size) == b"\xaa" * PAGE
    value.sync_from_device()
    assert np.array_equal(value.numpy("native"), frame)
    assert (value.memory_info()["offset"], value.memory_info()["size"]) == (offset, size)
    binding = session.io_binding()
    binding.bind_ortvalue_input(arg.name, value)
    session.run_with_iobinding(binding)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], session.run(None, {arg.name: frame})[0])


def test_an_output_goes_into_somebody_elses_memory(open_session: OpenSession) -> None:
    """The next device reads it there."""
    session = open_session("tiny_conv_int8", simulator="compute=on")
    feed, (out,) = feed_of(session), session.get_outputs()
    size = room(session, out.name).memory_info()["size_with_stride"]
    with memfd(PAGE + size) as fd:
        value = OrtValue.ortvalue_from_dmabuf(
            fd, out.shape, np.int8, size=size, offset=PAGE, session=session, name=out.name, io_kind="output"
        )
        binding = session.io_binding()
        binding.bind_cpu_input(session.input_names[0], feed[session.input_names[0]])
        binding.bind_ortvalue_output(out.name, value)
        session.run_with_iobinding(binding)
        n, c, h, w = out.shape
        written = np.frombuffer(os.pread(fd, n * c * h * w, PAGE), np.int8).reshape(n, h, w, c).transpose(0, 3, 1, 2)
    assert np.array_equal(written, session.run(None, feed, {"output_dtype": "native"})[0])


def test_memory_that_is_too_small_is_refused_before_it_is_used(open_session: OpenSession) -> None:
    """Smaller than the tensor with its rows, or than it is said to be; that library found out on the NPU."""
    session = open_session("odd_size_int8")
    (arg,) = session.get_inputs()
    needed = room(session, arg.name).memory_info()["size_with_stride"]
    where = {"session": session, "name": arg.name, "io_kind": "input"}
    with memfd(needed) as fd:
        with pytest.raises(RknnValueError, match=f"{needed - 1} bytes, but .* needs {needed} as int8; its rows are"):
            OrtValue.ortvalue_from_dmabuf(fd, arg.shape, np.int8, size=needed - 1, **where)
        with pytest.raises(RknnValueError, match=f"has {needed} bytes, but {needed} at offset {PAGE}"):
            OrtValue.ortvalue_from_dmabuf(fd, arg.shape, np.int8, size=needed, offset=PAGE, **where)


@pytest.mark.parametrize("fd", [-1, 10**6])
def test_what_is_no_memory_is_refused(open_session: OpenSession, fd: int) -> None:
    """The vendor's library takes any number for a descriptor."""
    session = open_session()
    with pytest.raises(RknnValueError):
        OrtValue.ortvalue_from_dmabuf(
            fd, session.get_inputs()[0].shape, np.int8, size=10**6, session=session, name=session.input_names[0]
        )


# ---- Wrong arguments ----


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"session": None}, RknnValueError, "pass session=, name="),
        ({"name": None}, RknnValueError, "pass session=, name="),
        ({"name": "nope"}, RknnValueError, "no input or output 'nope'; it has"),
        ({"io_kind": "output"}, RknnValueError, "no output 'x'"),
        ({"io_kind": "both"}, RknnValueError, "neither 'input' nor 'output'"),
        ({"shape": [1, 2]}, RknnValueError, r"has shape \[1, 3, 16, 16\], not \[1, 2\]"),
        ({"shape": 3}, RknnTypeError, "sequence of integers"),
        ({"shape": [-1]}, RknnValueError, "negative"),
        ({"element_type": np.int64}, RknnValueError, "is int8 in memory; .* float32 .*, or uint8 for raw pixels"),
        ({"element_type": "apples"}, RknnTypeError, "no element type"),
        ({"element_type": np.complex64}, RknnValueError, "no real numbers"),
        ({"device_type": "cuda"}, RknnValueError, "no device 'cuda'"),
        ({"device_type": 1}, RknnTypeError, "takes a string"),
        ({"device_id": 1}, RknnValueError, "device_id=1"),
        ({"layout": "chwn"}, RknnValueError, "layout='chwn'"),
        ({"mem_flags": "fast"}, RknnValueError, "mem_flags='fast'"),
        ({"mem_flags": 1.5}, RknnTypeError, "mem_flags takes"),
    ],
)
def test_a_wrong_argument_is_named(
    open_session: OpenSession, keywords: dict[str, Any], error: type[Exception], words: str
) -> None:
    """With what would be right."""
    session = open_session()
    arguments = {
        "shape": session.get_inputs()[0].shape,
        "element_type": np.float32,
        "device_type": "rknpu2",
        "session": session,
        "name": "x",
        **keywords,
    }
    with pytest.raises(error, match=words):
        OrtValue.ortvalue_from_shape_and_type(arguments.pop("shape"), **arguments)


def test_arrays_that_do_not_fit_a_value_are_refused(open_session: OpenSession) -> None:
    """Before anything is written."""
    session = open_session()
    value = room(session, session.input_names[0])
    with pytest.raises(RknnValueError, match="has shape"):
        value.update_inplace(np.zeros((1, 2), np.float32))
    with pytest.raises(RknnTypeError, match="no real numbers"):
        value.update_inplace(np.zeros(value.shape(), np.complex64))


# ---- In ordinary calls ----


@pytest.mark.parametrize("device", ["cpu", "rknpu2"])
def test_values_may_be_fed_to_ordinary_runs(open_session: OpenSession, device: str) -> None:
    """Wherever an array may be."""
    session = open_session("tiny_conv_fp16", simulator="compute=on")
    feed, name = feed_of(session), session.input_names[0]
    feed[name] = feed[name].astype(np.float16).astype(np.float32)
    value = OrtValue.ortvalue_from_numpy(feed[name], device, 0, name=name, session=session, io_kind="input")
    expected = session.run(None, feed)
    assert np.array_equal(session.run(None, {name: value})[0], expected[0])
    assert np.array_equal(session.run(None, [value])[0], expected[0])
    (result,) = session.run_with_ort_values(None, {name: value})
    assert isinstance(result, OrtValue)
    assert np.array_equal(result.numpy(), expected[0])
