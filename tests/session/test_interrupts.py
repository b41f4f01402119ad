# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C while a call of the runtime hangs: the second one ends the program, wherever it waits."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Says "hanging" as soon as the hanging call is made, and "ending" when the interpreter begins to end the session. That
# has had one inference before, unless it hangs.
PROGRAM = """
import asyncio, atexit, os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a test run in the background has had ignored
import numpy as np
from ez_rknn_async import InferenceSession, OrtValue, make_provider_options
from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

def tell(function, count):
    while load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_calls")(function.encode()) < count:
        threading.Event().wait(0.001)
    os.write(1, b"hanging\\n")

model, fault, way = sys.argv[1:]
function, count = fault.split("#")
threading.Thread(target=tell, args=(function, int(count)), daemon=True).start()
simulator = {"compute": "off", "timing": "off", "fault": f"{fault}:hang", "counter": "this test"}
options = make_provider_options(runtime_library="simulator", simulator=simulator, schedule=[0])
session = InferenceSession(model, provider_options=options)
atexit.register(os.write, 1, b"ending\\n")
(target,), (output,) = session.get_inputs(), session.get_outputs()
feed = {target.name: np.zeros(target.shape, np.float32)}
if fault != "rknn_run#1":
    session.run(None, feed)

def binding():
    binding = session.io_binding()
    binding.bind_cpu_input(target.name, feed[target.name])
    binding.bind_output(output.name)
    return binding

def twice(feed):
    return {name: np.concatenate([array] * 2) for name, array in feed.items()}

def in_with():
    with session:
        session.run(None, feed)

def pipeline():
    session.run_pipeline(feed, depth=1)
    session.run_pipeline(feed, depth=1)

def drained():
    session.run_pipeline(feed)
    session.drain_pipeline()

def closing():
    session.submit(feed)
    session.close()

def value():
    value = OrtValue.ortvalue_from_numpy(feed[target.name], "rknpu2", name=target.name, session=session)
    value.numpy()

def without_finalizer():
    session._deployment._finalizer.atexit = False
    session.run_async(None, feed, print)

WAYS = {
    "run": lambda: session.run(None, feed),
    "run_with_iobinding": lambda: session.run_with_iobinding(binding()),
    "with": in_with,
    "submit": lambda: session.submit(feed).result(),
    "map": lambda: list(session.map([feed] * 3)),
    "run_pipeline": pipeline,
    "drain_pipeline": drained,
    "batch": lambda: session.run(None, twice(feed), {"ztu_modelrt_dispatch_batch": True}),
    "asyncio": lambda: asyncio.run(session.run_awaitable(None, feed)),
    "close": closing,
    "exit": lambda: session.run_async(None, feed, print),
    "thread": lambda: threading.Thread(target=session.run, args=(None, feed)).start(),
    "callback": lambda: session.run_async(None, feed, lambda *_: session.close()),
    "value": value,
    "reset": lambda: session.reset(),
    "nothing": lambda: None,
    "no finalizer": without_finalizer,
}
WAYS[way]()
"""
WAYS = (
    "run",
    "run_with_iobinding",
    "with",
    "submit",
    "map",
    "run_pipeline",
    "drain_pipeline",
    "batch",
    "asyncio",
    "close",
    "exit",
    "thread",
    "callback",
)


class Program:
    """A program that hangs.

    Attributes:
        errors: the lines on its stderr, so far.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.errors: list[str] = []
        self._hanging, self._moved = threading.Event(), threading.Event()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(process.stdout,)),
            threading.Thread(target=self.errors.extend, args=(process.stderr,)),
        ]
        for reader in self._readers:
            reader.start()
        assert self._hanging.wait(60)

    def interrupt(self) -> None:
        """Send SIGINT, unless the program ends; no sooner than a fast user would."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.3)
        self._process.send_signal(signal.SIGINT)

    def wait_for_effect(self, seconds: float) -> bool:
        """Wait until the interpreter begins to end, or has ended; False if that takes longer."""
        return self._moved.wait(seconds)

    def status(self) -> int:
        """Wait for the end and return the status."""
        return self._process.wait(60)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def _read(self, stream: Iterable[str]) -> None:
        for line in stream:
            {"hanging\n": self._hanging, "ending\n": self._moved}[line].set()
        self._hanging.set()
        self._moved.set()


@contextmanager
def hanging(model: Path, fault: str, way: str) -> Iterator[Program]:
    command = [sys.executable, "-c", PROGRAM, str(model), fault, way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            program = Program(process)
        except BaseException:
            process.kill()
            raise
        try:
            yield program
        finally:
            program.end()


@pytest.fixture
def model(data: Path) -> Path:
    return data / "tiny_conv_int8.rknn"


def check_second_ends(program: Program, *, is_silent: bool = False) -> None:
    """Check that no third interrupt is needed.

    The second comes after the visible effect of the first, if any: Python swallows one that comes while it prints a
    traceback or joins threads.
    """
    program.interrupt()
    assert is_silent or program.wait_for_effect(60)
    program.interrupt()
    assert program.status() in (0, -signal.SIGINT), "".join(program.errors)


@pytest.mark.parametrize("fault", ["rknn_run#1", "rknn_run#2"])
@pytest.mark.parametrize("way", WAYS)
def test_the_second_interrupt_ends_a_program_that_hangs(model: Path, fault: str, way: str) -> None:
    """Short inferences run on the main thread itself, where no Python code runs meanwhile."""
    is_inside = fault == "rknn_run#2" and way in ("run", "run_with_iobinding")
    with hanging(model, fault, way) as program:
        check_second_ends(program, is_silent=is_inside or way == "with")  # which waits once more, in close()


@pytest.mark.parametrize(
    ("fault", "way"),
    [
        ("rknn_init#1", "nothing"),
        ("rknn_init#2", "reset"),
        ("rknn_query#1", "nothing"),
        ("rknn_destroy#1", "nothing"),
        ("rknn_destroy#2", "nothing"),
        ("rknn_destroy#2", "close"),
        ("rknn_destroy#2", "reset"),
        ("rknn_create_mem2#5", "value"),
        ("rknn_mem_sync#4", "value"),
    ],
)
def test_the_second_interrupt_ends_a_program_in_any_hanging_call(model: Path, fault: str, way: str) -> None:
    """The calls are those of loading, of destroying, also at the interpreter's end, and of values on the caller's
    thread."""
    with hanging(model, fault, way) as program:
        check_second_ends(program, is_silent=way == "value" or fault.startswith("rknn_destroy"))


@pytest.mark.parametrize("way", ["run", "run_with_iobinding", "submit", "map", "run_pipeline", "batch", "asyncio"])
def test_the_first_interrupt_raises_at_once(model: Path, way: str) -> None:
    """A worker has the task, which is not known to be short."""
    with hanging(model, "rknn_run#1", way) as program:
        program.interrupt()
        assert program.wait_for_effect(60)
        program.interrupt()
        assert program.status() == -signal.SIGINT
    assert any(line.startswith("KeyboardInterrupt") for line in program.errors)


def test_a_session_that_no_finalizer_has_ended_does_not_block_the_exit(model: Path) -> None:
    """Interrupted before its first step, weakref's exit function leaves sessions to the collection of modules."""
    with hanging(model, "rknn_run#1", "no finalizer") as program:
        assert program.status() == 0
