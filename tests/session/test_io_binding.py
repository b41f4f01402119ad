# SPDX-License-Identifier: Apache-2.0
"""``IOBinding``: its values, and the results of an inference with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    IOBinding,
    OrtValue,
    RknnError,
    RknnTypeError,
    RknnValueError,
)

from ..conftest import ROOT
from .conftest import OpenSession, feed_of
from .values import bound, on_npu, room

MODELS = sorted(path.stem for path in (ROOT / "tests" / "data").glob("*.rknn"))


# ---- Results ----


@pytest.mark.parametrize("layout", ["native", "nhwc"])
@pytest.mark.parametrize("model", MODELS)
def test_bound_values_give_the_results_of_run(open_session: OpenSession, model: str, layout: str) -> None:
    """They are equal bit for bit, on every model, with values on the NPU and on the CPU."""
    generator = np.random.default_rng(6)
    try:
        session = open_session(model, simulator="compute=on", zero_copy_layout=layout)
        feed = {i.name: generator.uniform(-1, 1, i.shape).astype(np.float32) for i in session.get_inputs()}
        expected = session.run(None, feed)
    except RknnError as refusal:
        pytest.skip(f"the simulated NPU does not run it: {refusal}")
    on_device = bound(session, feed)
    session.run_with_iobinding(on_device)
    on_cpu = session.io_binding()
    for name, array in feed.items():
        on_cpu.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(array))
    for name in session.output_names:
        on_cpu.bind_output(name)
    session.run_with_iobinding(on_cpu)
    for binding in (on_device, on_cpu):
        for ours, theirs in zip(binding.copy_outputs_to_cpu(), expected):
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs, equal_nan=True)


@pytest.mark.parametrize("model", ["conv_c4_int8", "mean_std_int8", "conv_c4_fp16"])
def test_pixels_give_the_results_of_run(open_session: OpenSession, model: str) -> None:
    """The NPU or the runtime normalises uint8 images."""
    session = open_session(model, simulator="compute=on")
    (arg,) = session.get_inputs()
    pixels = np.random.default_rng(7).integers(0, 256, arg.shape, np.uint8)
    expected = session.run(None, {arg.name: pixels})
    binding = session.io_binding()
    binding.bind_ortvalue_input(arg.name, room_for_pixels(session, pixels))
    session.run_with_iobinding(binding)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], expected[0])


def room_for_pixels(session: InferenceSession, pixels: Any) -> OrtValue:
    value = room(session, session.input_names[0], np.uint8)
    value.update_inplace(pixels)
    return value


def test_values_determine_the_shapes_of_a_dynamic_model(open_session: OpenSession) -> None:
    """Each legal set is used, one after the other with one binding."""
    session = open_session("dynamic_fp16", simulator="compute=on")
    (name,) = session.input_names
    binding = session.io_binding()
    assert len(session.get_input_shapes()) > 1
    for shapes in session.get_input_shapes():
        array = np.random.default_rng(8).random(shapes[name], np.float32)
        binding.bind_cpu_input(name, array)
        binding.bind_output(session.output_names[0])
        session.run_with_iobinding(binding)
        assert np.array_equal(binding.copy_outputs_to_cpu()[0], session.run(None, {name: array})[0])


def test_a_value_of_another_legal_shape_receives_nothing(open_session: OpenSession) -> None:
    """An array that is too small would be written beyond its end."""
    session = open_session("dynamic_fp16")
    (output,) = session.get_outputs()
    assert len(output.shapes) > 1
    binding = session.io_binding()
    binding.bind_cpu_input(session.input_names[0], np.zeros(session.get_inputs()[0].shape, np.float32))
    binding.bind_ortvalue_output(output.name, OrtValue.ortvalue_from_numpy(np.zeros(output.shapes[-1], np.float32)))
    with pytest.raises(RknnValueError, match=r"has shape .* but this run gives"):
        session.run_with_iobinding(binding)


def test_outputs_may_go_into_the_users_own_array(open_session: OpenSession) -> None:
    """They are bound by value, or by address as in ONNX Runtime; inputs may come from one."""
    session = open_session(simulator="compute=on")
    feed, (out,) = feed_of(session), session.get_outputs()
    (name, array), *_ = feed.items()
    target = np.zeros(out.shape, np.float32)
    binding = session.io_binding()
    binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    binding.bind_output(out.name, "cpu", 0, np.float32, out.shape, target.ctypes.data)
    session.run_with_iobinding(binding)
    assert np.array_equal(target, session.run(None, feed)[0])
    binding.bind_ortvalue_output(out.name, OrtValue.ortvalue_from_numpy(target))
    target[...] = 0
    session.run_with_iobinding(binding)
    assert np.array_equal(target, session.run(None, feed)[0])


def test_a_value_on_the_npu_may_be_bound_by_its_address(open_session: OpenSession) -> None:
    """ONNX Runtime's programs do that with data_ptr()."""
    session = open_session(simulator="compute=on")
    feed = feed_of(session)
    (name, array), *_ = feed.items()
    value = on_npu(session, array, name)
    binding = session.io_binding()
    binding.bind_input(name, value.device_name(), 0, np.float32, value.shape(), value.data_ptr())
    session.run_with_iobinding(binding)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], session.run(None, feed)[0])
    with pytest.raises(RknnValueError, match="no value at 0x10 on the NPU"):
        binding.bind_input(name, "rknpu2", 0, np.float32, value.shape(), 16)


def test_values_on_the_cpu_are_read_when_the_inference_runs(open_session: OpenSession) -> None:
    """ONNX Runtime's loop updates them in place; bind_cpu_input, in contrast, takes the present content."""
    session = open_session(simulator="compute=on")
    (name,) = session.input_names
    first, second = (feed_of(session, seed)[name] for seed in (1, 2))
    for cast in (np.float32, np.float64):
        value = OrtValue.ortvalue_from_numpy(first.astype(cast))
        binding = session.io_binding()
        binding.bind_ortvalue_input(name, value)
        for array in (first, second):
            value.update_inplace(array.astype(cast))
            session.run_with_iobinding(binding)
            assert np.array_equal(binding.copy_outputs_to_cpu()[0], session.run(None, {name: array})[0])
    array = first.copy()
    binding.bind_cpu_input(name, array)
    array[...] = second
    session.run_with_iobinding(binding)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], session.run(None, {name: first})[0])


# ---- Bound values ----


def test_outputs_come_in_the_order_of_binding(open_session: OpenSession) -> None:
    """Binding a name again replaces it in its place; that library kept both, or the old device."""
    session = open_session("two_inputs_fp16")
    first, second, *_ = session.output_names
    shapes = {o.name: o.shape for o in session.get_outputs()}
    binding = bound(session)
    session.run_with_iobinding(binding)
    assert [v.shape() for v in binding.get_outputs()] == [shapes[name] for name in session.output_names]
    binding.bind_output(second)
    session.run_with_iobinding(binding)
    assert [(v.shape(), v.device_name()) for v in binding.get_outputs()] == [(shapes[second], "cpu")]
    binding.bind_output(first, "rknpu2")
    binding.bind_output(second, "rknpu2")
    session.run_with_iobinding(binding)
    assert [(v.shape(), v.device_name()) for v in binding.get_outputs()] == [
        (shapes[second], "rknpu2"),
        (shapes[first], "rknpu2"),
    ]
    binding.clear_binding_outputs()
    assert binding.get_outputs() == []
    binding.clear_binding_inputs()
    with pytest.raises(RknnValueError, match="nothing is bound to input"):
        session.run_with_iobinding(binding)


def test_binding_does_not_change_a_value(open_session: OpenSession) -> None:
    """That library rewrote the value's own description."""
    session = open_session("activations_fp16")
    value = room(session, session.output_names[0])
    before = value.memory_info()
    bound(session).bind_ortvalue_output(session.output_names[0], value)
    session.io_binding().bind_ortvalue_input(session.input_names[0], value)
    assert value.memory_info() == before


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda b, s: b.bind_cpu_input("nope", 1), RknnValueError, "no input 'nope'"),
        (lambda b, s: b.bind_cpu_input("x", np.zeros(3)), RknnValueError, "has shape"),
        (lambda b, s: b.bind_ortvalue_input("x", np.zeros(3)), RknnTypeError, "takes an OrtValue, not ndarray"),
        (lambda b, s: b.bind_ortvalue_input("y", None), RknnValueError, "no input 'y'"),
        (lambda b, s: b.bind_output("x"), RknnValueError, "no output 'x'"),
        (lambda b, s: b.bind_output("y", "gpu"), RknnValueError, "no device 'gpu'"),
        (lambda b, s: b.bind_output("y", element_type=np.int64), RknnValueError, "is int8 in memory"),
        (lambda b, s: b.bind_output("y", shape=[1]), RknnValueError, "has shape"),
        (lambda b, s: b.bind_output("y", "rknpu2", buffer_ptr=1), RknnValueError, "bind_ortvalue_output"),
        (lambda b, s: b.bind_output("y", buffer_ptr="here"), RknnTypeError, "takes an address"),
        (lambda b, s: b.bind_output("y", buffer_ptr=0), RknnValueError, "not an address"),
        (lambda b, s: s.run_with_iobinding(None), RknnTypeError, "takes what io_binding"),
        (lambda b, s: s.run_with_iobinding(b), RknnValueError, "nothing is bound to input 'x'"),
        (lambda b, s: s.run_with_iobinding_async(b, None), RknnTypeError, "callback must be callable"),
        (lambda b, s: s.submit(b, ["y"]), RknnValueError, "cannot be given with a binding"),
        (lambda b, s: s.run_with_iobinding(b, {"ztu_modelrt_dispatch_batch": True}), RknnError, "use it with run"),
        (lambda b, s: IOBinding(None), RknnTypeError, "takes an InferenceSession"),
    ],
)
def test_misuse_raises_a_clear_error(
    open_session: OpenSession, call: Callable[[IOBinding, InferenceSession], object], error: type[Exception], words: str
) -> None:
    """The error comes before anything reaches the NPU."""
    session = open_session()
    with pytest.raises(error, match=words):
        call(session.io_binding(), session)


def test_a_read_only_array_receives_nothing(open_session: OpenSession) -> None:
    """Binding it through a value does not get around that."""
    session = open_session()
    (out,) = session.get_outputs()
    array = np.zeros(out.shape, np.float32)
    array.flags.writeable = False
    with pytest.raises(RknnValueError, match="read-only"):
        session.io_binding().bind_ortvalue_output(out.name, OrtValue.ortvalue_from_numpy(array))


def test_one_inference_cannot_read_and_write_a_value(open_session: OpenSession) -> None:
    """No one knows in which order the NPU reads and writes."""
    session = open_session("activations_fp16")
    value = room(session, session.output_names[0])
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.input_names[0], value)
    binding.bind_ortvalue_output(session.output_names[0], value)
    with pytest.raises(RknnValueError, match="is bound twice"):
        session.run_with_iobinding(binding)


def test_a_binding_belongs_to_one_session(open_session: OpenSession) -> None:
    """This holds even if the other one has the same model."""
    with pytest.raises(RknnValueError, match="of another session"):
        open_session().run_with_iobinding(bound(open_session()))


def test_a_session_that_copies_has_no_bindings(open_session: OpenSession) -> None:
    """io_mode='copy' is for runtimes whose memory functions are broken; the error says so."""
    with pytest.raises(RknnError, match="leave io_mode at 'auto'"):
        open_session(io_mode="copy").io_binding()


def test_the_package_knows_both_names(root: Path) -> None:
    """IOBinding is ONNX Runtime's, SessionIOBinding that library's."""
    import ez_rknn_async

    assert ez_rknn_async.SessionIOBinding is ez_rknn_async.IOBinding
