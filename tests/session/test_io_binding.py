"""``IOBinding``: inferences that read and write values, in every way to run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    IOBinding,
    OrtValue,
    RknnClosedError,
    RknnError,
    RknnInUseError,
    RknnTimeoutError,
    RknnTypeError,
    RknnValueError,
)
from ez_rknn_async.runtime.memory import Memory

from ..conftest import ROOT
from .conftest import OpenSession, feed_of
from .test_ort_value import memory_files, on_npu, room

MODELS = sorted(path.stem for path in (ROOT / "tests" / "data").glob("*.rknn"))


def bound(session: InferenceSession, feed: dict[str, Any] | None = None) -> IOBinding:
    """A binding with every input on the NPU; the outputs are bound by the first run."""
    binding = session.io_binding()
    for name, array in (feed or feed_of(session)).items():
        binding.bind_ortvalue_input(name, on_npu(session, array, name, io_kind="input"))
    return binding


@contextmanager
def held_back(session: InferenceSession) -> Iterator[None]:
    """What ends meanwhile is not delivered before the block is left: so it is under way in it."""
    inside, leave = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        inside.set()
        leave.wait()

    session.run_async(None, feed_of(session), wait)
    inside.wait()
    try:
        yield
    finally:
        leave.set()


# ---- Results ----


@pytest.mark.parametrize("layout", ["native", "nhwc"])
@pytest.mark.parametrize("model", MODELS)
def test_bound_values_give_what_run_gives(open_session: OpenSession, model: str, layout: str) -> None:
    """Bit for bit, on every model: through values on the NPU, and through values on the CPU."""
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
def test_pixels_give_what_run_gives(open_session: OpenSession, model: str) -> None:
    """uint8 images, which the NPU or the runtime normalises."""
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


def test_the_shapes_of_a_dynamic_model_are_those_of_the_values(open_session: OpenSession) -> None:
    """Each legal set, one after the other with one binding."""
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
    """By value, or by address as in ONNX Runtime; and inputs may come from one."""
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
    """ONNX Runtime's loop updates them in place; bind_cpu_input, in contrast, takes what is there."""
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


# ---- What is bound ----


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


def test_a_value_that_is_bound_is_not_changed_by_it(open_session: OpenSession) -> None:
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
        (lambda b, s: b.bind_output("y", buffer_ptr=0), RknnValueError, "no address"),
        (lambda b, s: s.run_with_iobinding(None), RknnTypeError, "takes what io_binding"),
        (lambda b, s: s.run_with_iobinding(b), RknnValueError, "nothing is bound to input 'x'"),
        (lambda b, s: s.run_with_iobinding_async(b, None), RknnTypeError, "callback must be callable"),
        (lambda b, s: s.submit(b, ["y"]), RknnValueError, "cannot be given with a binding"),
        (lambda b, s: s.run_with_iobinding(b, {"ztu_modelrt_dispatch_batch": True}), RknnError, "use it with run"),
        (lambda b, s: IOBinding(None), RknnTypeError, "takes an InferenceSession"),
    ],
)
def test_misuse_is_an_error_in_words(
    open_session: OpenSession, call: Callable[[IOBinding, InferenceSession], object], error: type[Exception], words: str
) -> None:
    """Before anything reaches the NPU."""
    session = open_session()
    with pytest.raises(error, match=words):
        call(session.io_binding(), session)


def test_a_read_only_array_receives_nothing(open_session: OpenSession) -> None:
    """Not through the back door either."""
    session = open_session()
    (out,) = session.get_outputs()
    array = np.zeros(out.shape, np.float32)
    array.flags.writeable = False
    with pytest.raises(RknnValueError, match="read-only"):
        session.io_binding().bind_ortvalue_output(out.name, OrtValue.ortvalue_from_numpy(array))


def test_a_value_cannot_be_read_and_written_by_one_inference(open_session: OpenSession) -> None:
    """Nobody knows in which order the NPU reads and writes."""
    session = open_session("activations_fp16")
    value = room(session, session.output_names[0])
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.input_names[0], value)
    binding.bind_ortvalue_output(session.output_names[0], value)
    with pytest.raises(RknnValueError, match="is bound twice"):
        session.run_with_iobinding(binding)


def test_a_binding_is_of_one_session(open_session: OpenSession) -> None:
    """Even if the other one has the same model."""
    with pytest.raises(RknnValueError, match="of another session"):
        open_session().run_with_iobinding(bound(open_session()))


def test_a_session_that_copies_has_no_bindings(open_session: OpenSession) -> None:
    """io_mode='copy' is for runtimes whose memory functions are broken; the error says so."""
    with pytest.raises(RknnError, match="leave io_mode at 'auto'"):
        open_session(io_mode="copy").io_binding()


# ---- One model's output is the next one's input ----


@pytest.mark.parametrize("layout", ["native", "nhwc"])
def test_an_output_feeds_another_session_without_leaving_the_npu(open_session: OpenSession, layout: str) -> None:
    """The second session, on other cores, takes in the memory of the first."""
    first = open_session("activations_fp16", simulator="compute=on", zero_copy_layout=layout)
    second = open_session("activations_fp16", simulator="compute=on", zero_copy_layout=layout, schedule=[1, 2])
    (name,), output = first.input_names, first.output_names[0]
    value = room(first, output)
    producer = bound(first)
    producer.bind_ortvalue_output(output, value)
    consumer = second.io_binding()
    consumer.bind_ortvalue_input(name, value)
    first.run_with_iobinding(producer)
    futures = [second.submit(consumer)]
    outputs = [v.numpy() for v in futures[0].result()]
    expected = second.run(None, {name: first.run([output], feed_of(first))[0]})
    for ours, theirs in zip(outputs, expected):
        assert np.array_equal(ours, theirs, equal_nan=True)


def test_what_does_not_agree_is_listed(open_session: OpenSession) -> None:
    """All differences at once, in words."""
    first, second = open_session("conv_c4_int8"), open_session("conv_c16_int8", zero_copy_layout="native")
    with pytest.raises(RknnValueError, match=r"memory is another: shape: .*; scale: .*; zero point: .*") as error:
        second.io_binding().bind_ortvalue_input("x", room(first, first.output_names[0]))
    assert "[1, 8, 16, 16] instead of [1, 16, 16, 16]" in str(error.value)


def test_a_shared_value_outlives_the_session_that_made_it(open_session: OpenSession) -> None:
    """The consumer goes on; the producer's memory goes with the last who needs it."""
    before = memory_files()
    first, second = open_session("activations_fp16"), open_session("activations_fp16")
    binding = second.io_binding()
    binding.bind_ortvalue_input(second.input_names[0], room(first, first.output_names[0]))
    first.close()
    session_memory = memory_files()
    second.run_with_iobinding(binding)
    assert memory_files() >= session_memory > before
    second.close()
    del binding
    assert memory_files() == before


# ---- Several under way ----


def test_bindings_run_on_every_core(open_session: OpenSession, runs_by_core: Callable[[], list[int]]) -> None:
    """Zero copy on all of them; that library had it on one, and synchronously."""
    session = open_session(schedule=[0, 1, 2], simulator="compute=off")
    bindings = [bound(session) for _ in range(6)]
    for _ in range(3):
        for future in [session.submit(binding) for binding in bindings]:
            assert [v.device_name() for v in future.result()] == ["rknpu2"]
    assert runs_by_core() == [6, 6, 6]


def test_each_core_computes_the_same(open_session: OpenSession) -> None:
    """The memory is taken in by every context, at the same place."""
    session = open_session("block_int8", simulator="compute=on", schedule=[0, 1, 2])
    feeds = [feed_of(session, seed) for seed in range(6)]
    bindings = [bound(session, feed) for feed in feeds]
    futures = [session.submit(binding) for binding in bindings]
    for future, feed in zip(futures, feeds):
        for value, expected in zip(future.result(), session.run(None, feed)):
            assert np.array_equal(value.numpy(), expected)


def test_a_run_allocates_nothing(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first one, on whichever core; that library allocated unbound outputs anew in every run."""
    session = open_session(schedule=[0, 1, 2])
    name, output = session.input_names[0], session.output_names[0]
    bindings = [bound(session), bound(session), session.io_binding()]
    bindings[1].bind_output(output)
    bindings[2].bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(feed_of(session)[name]))
    for binding in bindings:
        session.run_with_iobinding(binding)
    monkeypatch.delattr(Memory, "allocate")
    monkeypatch.delattr(Memory, "from_fd")
    before = memory_files()
    for _ in range(6):
        for future in [session.submit(binding) for binding in bindings]:
            future.result()
        bindings[1].bind_cpu_input  # noqa: B018 - what is bound stays bound
    assert memory_files() == before


def test_what_is_under_way_is_left_alone(open_session: OpenSession) -> None:
    """An error, not a race: for the binding, and for each of its values."""
    session = open_session()
    (name,), (output,) = session.input_names, session.output_names
    x, y = on_npu(session, feed_of(session)[name], name), room(session, output)
    host = OrtValue.ortvalue_from_numpy(feed_of(session)[name])
    binding, other = session.io_binding(), session.io_binding()
    binding.bind_ortvalue_input(name, x)
    binding.bind_ortvalue_output(output, y)
    other.bind_ortvalue_input(name, host)
    with held_back(session):
        futures = [session.submit(binding), session.submit(other)]
        uses: list[Callable[[], object]] = [
            y.numpy,
            x.numpy,
            lambda: np.asarray(y),
            lambda: x.update_inplace(np.zeros(x.shape(), np.float32)),
            lambda: y.update_inplace(np.zeros(y.shape(), np.float32)),
            lambda: host.update_inplace(np.zeros(x.shape(), np.float32)),
            lambda: session.run(None, {name: x}),
            lambda: session.run_with_iobinding(binding),
            lambda: session.submit(binding),
            lambda: session.run_with_iobinding_async(binding, print),
            lambda: asyncio.run(session.run_with_iobinding_awaitable(binding)),
            binding.get_outputs,
            binding.copy_outputs_to_cpu,
            lambda: binding.bind_cpu_input(name, feed_of(session)[name]),
            lambda: binding.bind_output(output),
            binding.clear_binding_inputs,
            binding.synchronize_outputs,
        ]
        for use in uses:
            with pytest.raises(RknnInUseError):
                use()
        assert y.shape() == session.get_outputs()[0].shape
    for future in futures:
        future.result()
    y.numpy()
    x.update_inplace(np.zeros(x.shape(), np.float32))
    session.run_with_iobinding(binding)


def test_several_inferences_may_read_one_value(open_session: OpenSession) -> None:
    """Two models look at one frame. But none may write where another reads."""
    session = open_session("activations_fp16")
    (name,) = session.input_names
    x = on_npu(session, feed_of(session)[name], name, io_kind="input")
    readers = [session.io_binding() for _ in range(2)]
    for binding in readers:
        binding.bind_ortvalue_input(name, x)
    writer = bound(session)
    writer.bind_ortvalue_output(session.output_names[0], x)
    with held_back(session):
        futures = [session.submit(binding) for binding in readers]
        with pytest.raises(RknnInUseError, match="is an input of an inference under way"):
            session.submit(writer)
    for future in futures:
        future.result()
    session.run_with_iobinding(writer)


def test_values_that_nobody_refers_to_stay_until_the_inference_has_ended(open_session: OpenSession) -> None:
    """The NPU still writes to them."""
    session = open_session(simulator="compute=on")
    feed = feed_of(session)
    binding = bound(session, feed)
    with held_back(session):
        future = session.submit(binding)
        del binding
    assert np.array_equal(future.result()[0].numpy(), session.run(None, feed)[0])


def test_a_withdrawn_inference_frees_its_values_at_once(open_session: OpenSession) -> None:
    """cancel() has taken it from the queue, so the binding may be run again."""
    session = open_session(simulator="compute=off,timing=fixed:200000")
    first, second = bound(session), bound(session)
    running = session.submit(first)
    waiting = session.submit(second)
    assert waiting.cancel()
    second.get_outputs()
    again = session.submit(second)
    running.result()
    again.result()


def test_callbacks_get_the_values_in_order(open_session: OpenSession) -> None:
    """As run_async does."""
    session = open_session(schedule=[0, 1])
    told: list[Any] = []
    done = threading.Event()
    bindings = [bound(session) for _ in range(3)]

    def tell(values: list[OrtValue] | None, user_data: Any, error: str) -> None:
        assert values is not None
        told.append((user_data, error, values[0].numpy().shape))
        if user_data == 2:
            done.set()

    for number, binding in enumerate(bindings):
        session.run_with_iobinding_async(binding, tell, number)
    assert done.wait(30)
    shape = tuple(session.get_outputs()[0].shape)
    assert told == [(0, "", shape), (1, "", shape), (2, "", shape)]


def test_a_coroutine_awaits_its_values(open_session: OpenSession) -> None:
    """More of them than there are places in the queue."""
    session = open_session("tiny_conv_fp16", simulator="compute=on", schedule=[0, 1, 2], max_queue_size=1)
    feeds = [feed_of(session, seed) for seed in range(12)]

    async def infer(feed: dict[str, Any]) -> Any:
        (value,) = await session.run_with_iobinding_awaitable(bound(session, feed))
        return value.numpy()

    async def everything() -> list[Any]:
        return await asyncio.gather(*map(infer, feeds))

    for ours, feed in zip(asyncio.run(everything()), feeds):
        assert np.array_equal(ours, session.run(None, feed)[0])


def test_a_coroutine_cancelled_as_it_is_accepted_keeps_its_values_in_use(
    open_session: OpenSession, release_hangs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has stood in line, and a worker takes it up before it can be withdrawn: the NPU writes to the values."""
    session = open_session(simulator="compute=off,fault=rknn_run#2:hang", schedule=0)
    binding, executor = bound(session), session._executor
    session.submit(bound(session)).result()  # the dispatcher's thread, which tells of room, begins with the first task
    submit, tries = executor.submit, []

    async def main() -> None:
        coroutine = asyncio.ensure_future(session.run_with_iobinding_awaitable(binding))

        def accept_and_cancel(*arguments: Any, **keywords: Any) -> int:
            tries.append(arguments)
            if len(tries) == 1:
                raise RknnTimeoutError("the queue is full")
            identifier = submit(*arguments, **keywords)
            coroutine.cancel()
            return identifier

        monkeypatch.setattr(executor, "submit", accept_and_cancel)
        monkeypatch.setattr(executor, "cancel", lambda _: False)
        with pytest.raises(asyncio.CancelledError):
            await coroutine

    asyncio.run(main())
    assert len(tries) == 2
    with pytest.raises(RknnInUseError):
        binding.get_outputs()
    release_hangs()
    while binding._mark.in_flight:
        threading.Event().wait(0.001)
    session.run_with_iobinding(binding)


def test_a_submission_that_finds_no_place_leaves_its_values_free(open_session: OpenSession) -> None:
    """Nothing was accepted, so nothing is in use."""
    session = open_session(simulator="compute=off,timing=fixed:200000", max_queue_size=1)
    bindings = [bound(session) for _ in range(3)]
    futures = [session.submit(binding) for binding in bindings[:2]]
    with pytest.raises(RknnTimeoutError):
        session.submit(bindings[2], timeout=0)
    bindings[2].get_outputs()
    for future in futures:
        future.result()
    session.run_with_iobinding(bindings[2])


def test_ordinary_runs_and_bindings_do_not_disturb_each_other(open_session: OpenSession) -> None:
    """They share the contexts, and each brings its own memory."""
    session = open_session("block_fp16", simulator="compute=on")
    feed, other = feed_of(session, 1), feed_of(session, 2)
    binding = bound(session, feed)
    expected, others = session.run(None, feed), session.run(None, other)
    for _ in range(3):
        session.run_with_iobinding(binding)
        assert np.array_equal(session.run(None, other)[0], others[0])
        assert np.array_equal(binding.copy_outputs_to_cpu()[0], expected[0])


# ---- The end ----


def test_a_closed_session_runs_no_bindings(open_session: OpenSession) -> None:
    """The values stay readable, and nothing stays marked as in use."""
    session = open_session()
    binding = bound(session)
    session.run_with_iobinding(binding)
    session.close()
    for run in (session.run_with_iobinding, session.submit):
        with pytest.raises(RknnClosedError):
            run(binding)  # type: ignore[operator]
    with pytest.raises(RknnClosedError):
        session.io_binding()
    assert binding.copy_outputs_to_cpu()[0].shape == tuple(session.get_outputs()[0].shape)


def test_closing_delivers_what_is_under_way(open_session: OpenSession) -> None:
    """As for every other way to run."""
    session = open_session(simulator="compute=off,timing=fixed:20000", max_queue_size=8)
    futures = [session.submit(bound(session)) for _ in range(4)]
    session.close()
    assert [len(future.result(0)) for future in futures] == [1] * 4


def test_memory_stays_as_long_as_a_context_is_bound_to_it(open_session: OpenSession) -> None:
    """A runtime cannot let go of it; the next binding replaces it, and the end of the session."""
    before = memory_files()
    session = open_session()
    opened = memory_files()
    session.run_with_iobinding(bound(session))
    assert memory_files() == opened + 2
    binding = bound(session)
    session.run_with_iobinding(binding)
    assert memory_files() == opened + 2
    session.close()
    del binding
    assert memory_files() == before


def test_a_replaced_worker_reaches_the_memory_too(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog puts a fresh context in place of one that hangs; the values that live take part in it."""
    session = open_session("tiny_conv_fp16", simulator="compute=on")
    feed = feed_of(session)
    binding = bound(session, feed)
    session.run_with_iobinding(binding)
    expected = session.run(None, feed)[0]
    contexts = session._executor.contexts
    info = binding.get_outputs()[0].memory_info()
    fresh = contexts.replace(0, tag=10**6)
    assert fresh is contexts[0]
    assert binding.get_outputs()[0].memory_info()["import_count"] == info["import_count"] + 1
    contexts.release(10**6)
    assert np.array_equal(binding.copy_outputs_to_cpu()[0], expected)


def test_values_stay_in_use_while_a_call_hangs_with_them(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """The task has failed, but the NPU may still write. Another worker reaches the values that it needs."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:hang", schedule=0, run_timeout_ms=50)
    hanging, other = bound(session), bound(session)
    with pytest.raises(RknnTimeoutError):
        session.submit(hanging).result()
    with pytest.raises(RknnInUseError):
        hanging.get_outputs()
    session.run_with_iobinding(other)
    release_hangs()
    while hanging._mark.in_flight:
        threading.Event().wait(0.001)
    session.run_with_iobinding(hanging)


def test_a_worker_is_replaced_in_a_lane_that_only_values_use(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """Arrays never went there, so there is no memory for them that the fresh context would have to have."""
    session = open_session(simulator="compute=off,fault=rknn_run#2:hang", schedule=0, run_timeout_ms=50)
    session.run(None, feed_of(session))
    binding, other = bound(session), bound(session)
    for each in (binding, other):
        each.bind_output(session.output_names[0], "rknpu2", layout="nhwc")
    with pytest.raises(RknnTimeoutError):
        session.run_with_iobinding(binding)
    session.run_with_iobinding(other)
    session.run(None, feed_of(session))
    release_hangs()


def test_the_package_knows_both_names(root: Path) -> None:
    """IOBinding is ONNX Runtime's, SessionIOBinding that library's."""
    import ez_rknn_async

    assert ez_rknn_async.SessionIOBinding is ez_rknn_async.IOBinding
