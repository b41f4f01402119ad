# SPDX-License-Identifier: Apache-2.0
"""Bindings under way on several cores, bindings whose run fails or is slow, and their remains."""

from __future__ import annotations

import asyncio
import errno
import functools
import gc
import os
import threading
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    IOBinding,
    OrtValue,
    RknnDeviceError,
    RknnInUseError,
    RknnTimeoutError,
    RknnValueError,
)

from .conftest import OpenSession
from .npu import FakeNpu, Submission
from .places import Place, Watch, input_places, plant
from .raw import Raw

MODEL = "conv_c16_int8"
# Each way to run bindings at the same time; it returns the output of each.
Outputs = list[np.ndarray]


def value_of(session: InferenceSession, array: Any, kind: str = "input") -> OrtValue:
    name = session.input_names[0] if kind == "input" else session.output_names[0]
    return OrtValue.ortvalue_from_numpy(array, "rknpu2", name=name, session=session, io_kind=kind)


def image(session: InferenceSession, number: int) -> np.ndarray:
    """Return an image whose elements are all one integer of the tensor's own."""
    return np.full(session.get_inputs()[0].shape, number, np.int8)


def bound(session: InferenceSession, number: int) -> IOBinding:
    """Return a binding with an input and an output in memory of the NPU."""
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.input_names[0], value_of(session, image(session, number)))
    binding.bind_output(session.output_names[0], "rknpu2")
    return binding


def echo(submission: Submission, place: Place) -> None:
    """Write an output that depends on the first element of the input, and on nothing else."""
    address = place.address_in(submission)
    assert address is not None
    plant(submission, int(submission.at(address, 1)[0]))


@pytest.fixture
def echoing(raw: Callable[[str], Raw], npu: FakeNpu) -> Place:
    """The place of the model's input; the NPU echoes it."""
    (place,) = input_places(raw(MODEL), npu)
    npu.compute(functools.partial(echo, place=place))
    return place


def futures(session: InferenceSession, bindings: list[IOBinding]) -> Outputs:
    return [f.result(60)[0].numpy("native") for f in [session.submit(binding) for binding in bindings]]


def callbacks(session: InferenceSession, bindings: list[IOBinding]) -> Outputs:
    outputs: Outputs = []
    done = threading.Event()

    def receive(values: list[OrtValue] | None, user_data: Any, error: str) -> None:
        assert values is not None, error
        assert user_data == len(outputs)
        outputs.append(values[0].numpy("native"))
        if len(outputs) == len(bindings):
            done.set()

    for number, binding in enumerate(bindings):
        session.run_with_iobinding_async(binding, receive, number)
    assert done.wait(60)
    return outputs


def coroutines(session: InferenceSession, bindings: list[IOBinding]) -> Outputs:
    async def everything() -> Any:
        return await asyncio.gather(*map(session.run_with_iobinding_awaitable, bindings))

    return [value.numpy("native") for (value,) in asyncio.run(everything())]


def threads(session: InferenceSession, bindings: list[IOBinding]) -> Outputs:
    running = [threading.Thread(target=session.run_with_iobinding, args=(binding,)) for binding in bindings]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    return [binding.get_outputs()[0].numpy("native") for binding in bindings]


@pytest.mark.parametrize("run", [futures, callbacks, coroutines, threads])
def test_bindings_under_way_on_three_cores_have_their_own_results(
    run: Callable[[InferenceSession, list[IOBinding]], Outputs],
    open_session: OpenSession,
    echoing: Place,
    npu: FakeNpu,
) -> None:
    """Three are always inside the driver at once, and twice as many bindings are waiting or under way."""
    session, together = open_session(MODEL, schedule=[0, 1, 2]), threading.Barrier(3)
    bindings = [bound(session, number) for number in range(6)]

    def echo_together(submission: Submission) -> None:
        together.wait(60)
        echo(submission, echoing)

    for _ in range(3):
        npu.forget()
        npu.compute(echo_together)
        found = run(session, bindings)
        assert sorted(s.core_mask for s in npu.submissions) == [1, 1, 2, 2, 4, 4]
        npu.compute(functools.partial(echo, place=echoing))
        for number, output in enumerate(found):
            assert np.array_equal(output, session.run(None, [image(session, number)], {"output_dtype": "native"})[0])
        assert len({output.tobytes() for output in found}) == 6


def test_a_hundred_values_and_bindings_leave_nothing_behind(open_session: OpenSession, npu: FakeNpu) -> None:
    """Any source of a value and any core may be involved: every handle is freed, once."""

    def use(session: InferenceSession, number: int) -> None:
        size = value_of(session, image(session, 0)).memory_info()["size_with_stride"]
        fd = os.memfd_create("camera")
        os.truncate(fd, size)
        shape, name = session.get_inputs()[0].shape, session.input_names[0]
        camera = OrtValue.ortvalue_from_dmabuf(fd, shape, None, size=size, session=session, name=name)
        os.close(fd)
        bindings = [bound(session, number), session.io_binding(), session.io_binding()]
        bindings[1].bind_ortvalue_input(name, camera)
        bindings[2].bind_cpu_input(name, image(session, number))
        for future in [session.submit(binding) for binding in bindings]:
            future.result(60)

    session = open_session(MODEL, schedule=[0, 1, 2])
    use(session, 0)
    gc.collect()
    memories, descriptors = len(npu.memories()), len(os.listdir("/proc/self/fd"))
    created, destroyed = npu.count("MEMORY_CREATE"), npu.count("MEMORY_DESTROY")
    for number in range(100):
        use(session, number)
    gc.collect()
    # Each core's last binding stays until something else is bound there.
    assert len(npu.memories()) == memories
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    created, destroyed = npu.count("MEMORY_CREATE") - created, npu.count("MEMORY_DESTROY") - destroyed
    assert created == destroyed >= 100 * 6
    assert npu.count("DESTROYED_NOTHING") == 0


def test_a_binding_allocates_no_memory_after_the_first_run_on_each_core(
    open_session: OpenSession, npu: FakeNpu
) -> None:
    """It allocates none from the driver and imports none: other cores know the memory already."""
    session = open_session(MODEL, schedule=[0, 1, 2])
    bindings = [bound(session, number) for number in range(4)]
    before = [npu.count(ioctl) for ioctl in ("MEMORY_CREATE", "FD_TO_HANDLE", "MEMORY_MAP")]
    for _ in range(3):
        for future in [session.submit(binding) for binding in bindings]:
            future.result(60)
    assert [npu.count(ioctl) for ioctl in ("MEMORY_CREATE", "FD_TO_HANDLE", "MEMORY_MAP")] == before


# ---- Failures ----


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ETIMEDOUT, errno.EIO, errno.ENOMEM])
def test_a_refused_submission_frees_the_values_and_the_binding_runs_again(
    code: int, open_session: OpenSession, echoing: Place, npu: FakeNpu
) -> None:
    """Call and future raise a device error, and the next run of the same binding is right."""
    session = open_session(MODEL, schedule=[0, 1])
    binding = bound(session, 7)
    expected = session.run(None, [image(session, 7)])[0]
    for run in (session.run_with_iobinding, lambda b: session.submit(b).result(60)):
        npu.compute(lambda submission: code)
        with pytest.raises(RknnDeviceError) as failure:
            run(binding)
        assert (failure.value.code, failure.value.call) == (-1, "rknn_run")
        binding.get_outputs()[0].numpy()
        npu.compute(functools.partial(echo, place=echoing))
        run(binding)
        assert np.array_equal(binding.get_outputs()[0].numpy(), expected)


def test_a_failing_core_only_fails_its_own_bindings(open_session: OpenSession, echoing: Place, npu: FakeNpu) -> None:
    """The others have their own results; the failed one may be run again, on another core."""
    session = open_session(MODEL, schedule=[0, 1, 2])
    bindings = [bound(session, number) for number in range(6)]
    expected = [session.run(None, [image(session, number)])[0] for number in range(6)]
    npu.compute(lambda s: errno.EIO if s.core_mask == 2 else echo(s, echoing))
    runs = [session.submit(binding) for binding in bindings]
    assert [isinstance(run.exception(60), RknnDeviceError) for run in runs] == [False, True, False] * 2
    session.run(None, [image(session, 0)])
    with pytest.raises(RknnDeviceError):
        session.run_with_iobinding(bindings[0])
    session.run_with_iobinding(bindings[1])
    for number in (1, 2, 3, 5):
        assert np.array_equal(bindings[number].get_outputs()[0].numpy(), expected[number])


def test_a_binding_whose_submission_hangs_stays_in_use(open_session: OpenSession, echoing: Place, npu: FakeNpu) -> None:
    """run_timeout_ms ends the wait, another context serves the next binding, and no one touches memory that the NPU
    may still write until the call returns."""
    session = open_session(MODEL, schedule=0, run_timeout_ms=300)
    expected = session.run(None, [image(session, 1)])[0]
    hanging, other = bound(session, 1), bound(session, 1)
    release, late = threading.Event(), threading.Event()

    def hang_once(submission: Submission) -> None:
        if not late.is_set():
            late.set()
            assert release.wait(60)
        echo(submission, echoing)

    npu.compute(hang_once)
    try:
        with pytest.raises(RknnTimeoutError):
            session.run_with_iobinding(hanging)
        with pytest.raises(RknnInUseError):
            hanging.get_outputs()
        session.run_with_iobinding(other)
        assert np.array_equal(other.get_outputs()[0].numpy(), expected)
    finally:
        release.set()
    while hanging._mark.in_flight:
        threading.Event().wait(0.001)
    session.run_with_iobinding(hanging)
    assert np.array_equal(hanging.get_outputs()[0].numpy(), expected)


# ---- Memory that several sessions use ----


def test_one_camera_frame_feeds_two_sessions_and_outlives_one(
    open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """The driver has one handle for a buffer: when the first session frees its value, the NPU still reads the buffer
    for the second."""
    watch = Watch(raw(MODEL), npu)
    first, second = (open_session(MODEL, schedule=[0, 1], zero_copy_layout="native") for _ in range(2))
    size = value_of(first, image(first, 0)).memory_info()["size_with_stride"]
    fd, handles = os.memfd_create("camera"), len(npu.memories())
    os.truncate(fd, 2 * size)
    bindings = []
    for number, session in enumerate((first, second)):
        shape, name = session.get_inputs()[0].shape, session.input_names[0]
        frame = OrtValue.ortvalue_from_dmabuf(
            fd, shape, None, size=size, offset=number * size, session=session, name=name
        )
        frame.update_inplace(image(session, number + 1))
        bindings.append(session.io_binding())
        bindings[-1].bind_ortvalue_input(name, frame)
        del frame
    os.close(fd)
    seen = []
    for session, binding in ((first, bindings[0]), (second, bindings[1])):
        session.run_with_iobinding(binding)
        seen.append((watch.take(), watch.addresses[0]))
    assert seen[1][1] - seen[0][1] == size
    assert len([memory for memory in npu.memories()[handles:] if memory.imported]) == 1
    first.close()
    bindings.pop(0)
    gc.collect()
    for _ in range(2):
        second.run_with_iobinding(bindings[0])
        assert (watch.take(), watch.addresses[0]) == seen[1]


def test_a_session_reads_another_ones_output_in_place(
    open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """Nothing is copied between two models, on any cores, and the memory outlives the first one."""
    model = "activations_fp16"
    watch = Watch(raw(model), npu)
    first, second = open_session(model, schedule=[0]), open_session(model, schedule=[1, 2])
    shape, name = first.get_outputs()[0].shape, first.output_names[0]
    value = OrtValue.ortvalue_from_shape_and_type(
        shape, None, "rknpu2", session=first, name=name, io_kind="output", layout="nc1hwc2"
    )
    between = npu.memories()[-1]
    producing, consuming = first.io_binding(), second.io_binding()
    producing.bind_cpu_input(first.input_names[0], np.zeros(first.get_inputs()[0].shape, np.float32))
    producing.bind_ortvalue_output(name, value)
    consuming.bind_ortvalue_input(second.input_names[0], value)
    npu.forget()
    npu.compute(plant)
    first.run_with_iobinding(producing)
    planted = between.bytes.tobytes()
    watch = Watch(raw(model), npu)
    first.close()
    for _ in range(2):
        second.run_with_iobinding(consuming)
        (content,) = watch.take().values()
        assert watch.addresses[0] == between.address
        assert planted.startswith(content)


def test_every_shape_of_a_dynamic_model_is_bound_separately(
    open_session: OpenSession, raw: Callable[[str], Raw], npu: FakeNpu
) -> None:
    """At one shape the library forgets the bindings of another: each run of a binding reads that binding's memory."""
    session = open_session("dynamic_fp16", schedule=[0, 1])
    (name,), (output,) = session.input_names, session.output_names
    npu.compute(plant)
    shapes = [each[name] for each in session.get_input_shapes()]
    assert len(shapes) > 1
    bindings, expected = [], []
    for number, shape in enumerate(shapes):
        array = np.full(shape, number, np.float32)
        expected.append(session.run(None, {name: array})[0])
        bindings.append(session.io_binding())
        bindings[-1].bind_cpu_input(name, array)
        bindings[-1].bind_output(output, "rknpu2")
    for _ in range(2):
        for binding, theirs in zip(bindings, expected):
            session.run_with_iobinding(binding)
            (ours,) = binding.copy_outputs_to_cpu()
            assert ours.shape == theirs.shape
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("flags", ["non_cacheable", "try_sram"])
def test_refuses_memory_that_needs_a_newer_library(flags: str, open_session: OpenSession) -> None:
    """1.5.2 has no rknn_create_mem2."""
    session = open_session(MODEL)
    with pytest.raises(RknnValueError, match="needs a runtime that has rknn_create_mem2"):
        session.io_binding().bind_output(session.output_names[0], "rknpu2", mem_flags=flags)
