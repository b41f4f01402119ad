"""Ctrl-C while a call of the runtime does not come back: the second one ends the program, wherever it waits."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Says "hanging" as soon as the call that hangs was made. `session` has had one inference before, unless that hangs.
PROGRAM = """
import asyncio, sys, threading
import numpy as np
from ez_rknn_async import InferenceSession, OrtValue, make_provider_options
from ez_rknn_async.runtime.library import load
from ez_rknn_async.runtime.locate import SIMULATOR_LIBRARY

def tell(function, count):
    while load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_calls")(function.encode()) < count:
        threading.Event().wait(0.001)
    print("hanging", flush=True)

model, fault, way = sys.argv[1:]
function, count = fault.split("#")
threading.Thread(target=tell, args=(function, int(count)), daemon=True).start()
simulator = {"compute": "off", "timing": "off", "fault": f"{fault}:hang", "counter": "this test"}
options = make_provider_options(runtime_library="simulator", simulator=simulator, schedule=[0])
session = InferenceSession(model, provider_options=options)
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
    """A program that hangs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.errors: list[str] = []
        self._interrupted = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "hanging\n"

    def interrupt(self, seconds: float) -> int | None:
        """Send SIGINT; the status if the program ends in that time."""
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def wait_for_traceback(self) -> None:
        """Until it has printed that of the first KeyboardInterrupt."""
        assert self._interrupted.wait(60)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.errors.append(line)
            if line.startswith("KeyboardInterrupt"):
                self._interrupted.set()


@contextmanager
def hanging(model: Path, fault: str, way: str) -> Iterator[Program]:
    command = [sys.executable, "-c", PROGRAM, str(model), fault, way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        program = None
        try:
            program = Program(process)
            yield program
        finally:
            if program is None:
                process.kill()
            else:
                program.end()


@pytest.fixture
def model(data: Path) -> Path:
    return data / "tiny_conv_int8.rknn"


def check_second_ends(program: Program) -> None:
    """That no third one is needed. A moment lies between the two, as between those of a user."""
    status = program.interrupt(0.2)
    if status is None:
        status = program.interrupt(60)
    assert status in (0, -signal.SIGINT), "".join(program.errors)


@pytest.mark.parametrize("fault", ["rknn_run#1", "rknn_run#2"])
@pytest.mark.parametrize("way", WAYS)
def test_the_second_interrupt_ends_a_program_that_hangs(model: Path, fault: str, way: str) -> None:
    """Also in an inference on the main thread itself, which short ones are run on: nothing of Python's runs there."""
    with hanging(model, fault, way) as program:
        check_second_ends(program)


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
def test_the_second_interrupt_ends_a_program_whatever_call_hangs(model: Path, fault: str, way: str) -> None:
    """Loading, giving back, at the interpreter's end too, and the calls that values make on the caller's thread."""
    with hanging(model, fault, way) as program:
        check_second_ends(program)


@pytest.mark.parametrize("way", ["run", "run_with_iobinding", "submit", "map", "run_pipeline", "batch", "asyncio"])
def test_the_first_interrupt_raises_at_once(model: Path, way: str) -> None:
    """Where a worker has the task, and nothing yet tells that it would be short."""
    with hanging(model, "rknn_run#1", way) as program:
        assert program.interrupt(0.2) is None
        program.wait_for_traceback()
        assert program.interrupt(60) == -signal.SIGINT
