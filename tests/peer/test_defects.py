# SPDX-License-Identifier: Apache-2.0
"""Defects of the library that this one replaces, by their numbers in its list: each has a test that passes here.

Those of zero copy (7, 9, 10, 12, 17) are in test_io_binding.py. The native sides of 2, 16, 19 and 20 are tested under
sanitizers in native/tests; every call of the constructor fails once for 16 in tests/session/test_faults.py.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import RknnTimeoutError
from ez_rknn_async._runtime.library import Library

from ..plugins import SPOILED, build
from ..session.conftest import feed_of
from ..session.test_running import Collector
from .conftest import OpenSession

Configure = Callable[[str], None]

# A child process that has tried it reports: the interpreter was not locked, nothing aborted.
BAD_CORE = """
import importlib, sys, threading
InferenceSession = importlib.import_module(sys.argv[2]).InferenceSession
for _ in range(20):
    try:
        InferenceSession(sys.argv[1], provider_options={"schedule": [0, 1, 2]})
    except RuntimeError as error:
        print(error)
print(threading.active_count())
"""


@pytest.mark.parametrize("model", ["rk3566_block_int8", "rk3576_block_int8"])
def test_defect_1_a_core_that_does_not_exist_neither_hangs_nor_aborts(model: str, api: ModuleType, data: Path) -> None:
    """A process of its own makes a hang visible."""
    done = subprocess.run(
        [sys.executable, "-c", BAD_CORE, str(data / f"{model}.rknn"), api.__name__],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert (len(lines), lines[-1], done.stderr) == (21, "1", "")


def wait_for_threads(expected: int) -> bool:
    """Wait until no more threads are left; the kernel lists a thread for a moment after it was joined."""
    deadline = time.monotonic() + 30
    while len(os.listdir("/proc/self/task")) > expected and time.monotonic() < deadline:
        os.sched_yield()
    return len(os.listdir("/proc/self/task")) <= expected


def test_defect_2_sessions_end_no_matter_how_many_were_opened(api: ModuleType, data: Path) -> None:
    """The stop was lost once in some ten thousand sessions; benchmarks/soak.py opens a hundred thousand."""
    feed = np.zeros((1, 3, 16, 16), np.float32)
    threads, descriptors = len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
    for number in range(3000):
        session = api.InferenceSession(data / "tiny_conv_int8.rknn", provider_options={"schedule": [0, 1, 2]})
        if number % 3 == 0:
            session.run(None, [feed])
        if number % 3 == 1:
            session.run_async(None, [feed], lambda *_: None)
        session.close()
    assert wait_for_threads(threads)
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1


def test_defect_3_run_async_with_an_empty_list_of_names_gives_all_outputs(open_session: OpenSession) -> None:
    """That library ended the process."""
    session, collector = open_session("two_inputs_int8"), Collector(2)
    empty: tuple[Sequence[str], ...] = ([], ())
    for names in empty:
        session.run_async(names, feed_of(session), collector)
    assert [len(results) for results, _, _ in collector.wait()] == [2, 2]


def test_defect_4_run_inside_a_callback_returns(open_session: OpenSession) -> None:
    """That library waited for its own thread; here it also works with other callbacks waiting behind this one."""
    session, collector = open_session(schedule=[0, 1]), Collector(2)

    def nested(results: Any, user_data: Any, error: str) -> None:
        assert session.run(None, feed_of(session))
        collector(results, user_data, error)

    for number in range(2):
        session.run_async(None, feed_of(session), nested, number)
    assert [user_data for _, user_data, _ in collector.wait()] == [0, 1]


def test_defect_4_the_last_reference_dropped_in_a_callback_leaks_nothing(api: ModuleType, data: Path) -> None:
    """The session, passed as user data, ends when the callback returns."""
    threads, freed = len(os.listdir("/proc/self/task")), threading.Event()

    def callback(_results: Any, session: Any, _error: str) -> None:
        released.wait(60)  # until the caller holds no reference any more
        closers.append(threading.current_thread())
        freed.set()

    closers: list[threading.Thread] = []
    released = threading.Event()
    session = api.InferenceSession(data / "tiny_conv_int8.rknn")
    session.run_async(None, feed_of(session), callback, session)
    del session
    released.set()
    assert freed.wait(60)
    closers[0].join(60)
    assert not closers[0].is_alive()
    for thread in threading.enumerate():
        if thread.name == "ez-rknn-close":
            thread.join(60)
    assert wait_for_threads(threads)


def test_defect_5_a_dynamic_model_runs_with_every_legal_shape(open_session: OpenSession) -> None:
    """Only the default shape could be fed; here the list of shapes can be read."""
    session = open_session("dynamic_fp16")
    for shapes in session.get_input_shapes():
        (result,) = session.run(None, {name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
        assert list(result.shape[2:]) == shapes["x"][2:]
    assert len(session.get_input_shapes()) == 3


def test_defect_6_batch_dispatch_keeps_all_outputs_of_a_batched_model(
    open_session: OpenSession,
) -> None:
    """A model compiled for four samples gives four rows a run: eight in, eight out."""
    session = open_session("batch4_fp16", schedule=[0, 1])
    feed = np.zeros((8, 3, 16, 16), np.float32)
    (result,) = session.run(None, [feed], {"ztu_modelrt_dispatch_batch": True})
    assert result.shape == (8, 8, 16, 16)


def test_defect_8_reported_layouts_and_shapes_are_true(open_session: OpenSession) -> None:
    """For each layout, run() takes what get_inputs() says; NCHW attributes are in tests/test_signature.py."""
    for layout, order in (("nchw", "NCHW"), ("nhwc", "NHWC"), ("any", "NHWC")):
        session = open_session("two_inputs_int8", layout=layout)
        for node in session.get_inputs():
            assert node.layout == order
        assert len(session.run(None, feed_of(session))) == 2


def test_defect_11_read_only_and_pickled_arrays_are_inputs(open_session: OpenSession) -> None:
    """numpy.frombuffer, images and queues between processes give them."""
    session = open_session()
    read_only = np.frombuffer(np.zeros((1, 3, 16, 16), np.float32).tobytes(), np.float32).reshape(1, 3, 16, 16)
    assert not read_only.flags.writeable
    pickled = pickle.loads(pickle.dumps(np.zeros((1, 3, 16, 16), np.float32)))
    with_metadata = pickled.astype(np.dtype(np.float32, metadata={"made by": "another library"}))
    for array in (read_only, pickled, with_metadata):
        for run in (session.run, lambda _names, feed: session.submit(feed).result()):
            assert run(None, [array])[0].shape == (1, 8, 16, 16)


def test_defect_13_pacing_does_not_spin_and_keeps_to_the_timeout(
    open_session: OpenSession, simulated_npu: Configure
) -> None:
    """Waiting takes little processor time, and a timeout is a timeout."""
    simulated_npu("compute=off,timing=fixed:200000")
    session = open_session(schedule=0, enable_pacing=True, max_queue_size=10, submit_timeout_ms=50)
    session.run(None, feed_of(session))
    session.submit(feed_of(session))
    wall, processor = time.perf_counter(), time.thread_time()
    with pytest.raises(RknnTimeoutError):
        session.submit(feed_of(session))
    wall, processor = time.perf_counter() - wall, time.thread_time() - processor
    assert wall < 0.2
    assert processor < wall / 2


def test_defect_15_a_master_is_destroyed_after_its_borrowers(
    api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be closed first; chains and drops are in tests/session/test_shared_weights.py."""
    destroyed: list[int] = []
    function = Library.function

    def spy(library: Library, name: str) -> Any:
        called = function(library, name)

        def destroy(handle: Any) -> Any:
            destroyed.append(handle)
            return called(handle)

        return destroy if name == "rknn_destroy" else called

    monkeypatch.setattr(Library, "function", spy)
    master = api.InferenceSession(data / "conv_c5_fp16.rknn")
    (of_master,) = (context.handle for context in master._deployment.executor.contexts)
    borrower = api.InferenceSession(data / "without_weights_fp16.rknn", use_weight_from=master)
    (of_borrower,) = (context.handle for context in borrower._deployment.executor.contexts)
    destroyed.clear()  # contexts on which something was tried
    master.close()
    assert destroyed == []
    borrower.close()
    assert destroyed == [of_borrower, of_master]


def test_defect_16_destroys_contexts_if_construction_fails(
    api: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third core is refused: all three contexts that were made by then are destroyed."""
    calls: list[str] = []
    original = Library.function

    def function(self: Library, name: str) -> Any:
        calls.append(name)
        if name == "rknn_set_core_mask" and calls.count(name) == 3:
            return lambda *_: -1
        return original(self, name)

    monkeypatch.setattr(Library, "function", function)
    with pytest.raises(RuntimeError, match="rknn_set_core_mask failed"):
        api.InferenceSession(data / "tiny_conv_int8.rknn", provider_options={"schedule": [0, 1, 2]})
    assert calls.count("rknn_init") + calls.count("rknn_dup_context") == calls.count("rknn_destroy") == 3


def test_defect_14_a_plug_in_without_its_function_gives_a_clear_error(
    open_session: OpenSession, tmp_path: Path
) -> None:
    """The message was read after the library had been unloaded, and came out as a UnicodeDecodeError."""
    plugin = build(SPOILED, tmp_path / "plugin.so", "-DNO_ENTRY")
    with pytest.raises(RuntimeError, match=r"plugin\.so is not a plug-in .* it does not export get_rknn_custom_op\(\)"):
        open_session("custom_operator_fp16", custom_op_paths=[str(plugin)])


@pytest.mark.parametrize(
    "options",
    [{"schedule": "0;1"}, {"schedule": "0,1,x"}, {"schedule": [32]}, {"schedule": [3]}, {"max_queue_size": -1}],
    ids=repr,
)
def test_defect_18_rejects_meaningless_options(options: Any, api: ModuleType, data: Path) -> None:
    """Rubbish in a schedule, cores that wrap around, an endless queue."""
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        api.InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options)


def test_defect_19_wakes_a_waiting_submitter_as_soon_as_there_is_room(
    open_session: OpenSession, simulated_npu: Configure
) -> None:
    """Several threads share a queue of one place: with a timeout of a minute, a lost wake-up would stall the test."""
    simulated_npu("compute=off,timing=fixed:100")
    session = open_session(schedule=0, max_queue_size=1, submit_timeout_ms=60_000)
    feed = feed_of(session)
    clients = [threading.Thread(target=lambda: [session.submit(feed).result() for _ in range(200)]) for _ in range(8)]
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert session.stats.cores["0"].completed == 1600
    assert time.perf_counter() - start < 30


def test_defect_20_an_exception_in_a_callback_ends_nothing(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """Even the worst exception leaves the session and the process running."""
    session, collector = open_session(), Collector(1)

    def faulty(_results: Any, _user_data: Any, _error: str) -> None:
        raise MemoryError("no memory")

    session.run_async(None, feed_of(session), faulty)
    session.run_async(None, feed_of(session), collector)
    assert collector.wait()[0][2] == ""
    assert "no memory" in caplog.text
