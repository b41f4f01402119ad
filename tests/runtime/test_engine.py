# SPDX-License-Identifier: Apache-2.0
"""The engine's binding, over a runtime of Python functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.engine import Engine
from ez_rknn_async._runtime.status import error
from ez_rknn_async._runtime.task import EngineTask, Transfer
from ez_rknn_async.errors import RknnError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ez_rknn_async._runtime.library import Library

SIGNATURES = {
    "rknn_inputs_set": "int(rknn_context, uint32_t, rknn_input *)",
    "rknn_run": "int(rknn_context, rknn_run_extend *)",
    "rknn_outputs_get": "int(rknn_context, uint32_t, rknn_output *, rknn_output_extend *)",
    "rknn_outputs_release": "int(rknn_context, uint32_t, rknn_output *)",
    "rknn_set_io_mem": "int(rknn_context, rknn_tensor_mem *, rknn_tensor_attr *)",
    "rknn_mem_sync": "int(rknn_context, rknn_tensor_mem *, rknn_mem_sync_mode)",
}


class Recorder:
    """A runtime library that records the names of its calls and does nothing else."""

    def __init__(self, without: tuple[str, ...] = ()) -> None:
        self.calls: list[str] = []
        self.codes: dict[str, int] = {}
        self._functions = {
            name: ffi.callback(signature, self._recording(name))
            for name, signature in SIGNATURES.items()
            if name not in without
        }

    def _recording(self, name: str) -> Any:
        def record(*_: Any) -> int:
            self.calls.append(name.replace("rknn_", "", 1))
            return self.codes.get(name, 0)

        return record

    def has(self, name: str) -> bool:
        return name in self._functions

    def function(self, name: str) -> Any:
        return self._functions[name]

    def start(self) -> Engine:
        """Start an engine with one worker."""
        return Engine(cast("Library", self), [(1, 0)], [0], queue_capacity=1, completion_capacity=1, ordered=True)


class DirectTask(EngineTask):
    """One input and one output in bound memory, used unchanged."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        attr, self.memory = ffi.new("rknn_tensor_attr *"), ffi.new("rknn_tensor_mem *")
        memories = ffi.new("rknn_tensor_mem *[]", [self.memory])
        self.transfers = Transfer(attr, memories, 1), Transfer(attr, memories, 2)
        self.set_direct(self.transfers[:1], [None], self.transfers[1:], [None])


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def engine(recorder: Recorder) -> Iterator[Engine]:
    engine = recorder.start()
    yield engine
    engine.destroy(-1)


def run(engine: Engine, task: EngineTask) -> Any:
    code = engine.run(task, 0, -1, interruptible=False, keep=lambda _: None)
    assert code == task.outcome().code
    return task.outcome()


def test_a_direct_task_binds_once_and_synchronises_each_time(recorder: Recorder, engine: Engine) -> None:
    """The structures reach the engine whole: bindings are told apart, and sync is asked for on both sides."""
    task = DirectTask()
    assert run(engine, task).code == 0
    assert recorder.calls == ["set_io_mem", "mem_sync", "set_io_mem", "run", "mem_sync"]
    recorder.calls.clear()
    assert run(engine, task).code == 0
    assert recorder.calls == ["mem_sync", "run", "mem_sync"]


def test_a_task_may_switch_from_direct_to_copy(recorder: Recorder, engine: Engine) -> None:
    """Tasks are reused: the last setting counts."""
    task, array = DirectTask(), bytearray(4)
    task.set_input(0, memoryview(array), 0, 0, pass_through=False)
    task.set_output(0, memoryview(array), want_float=False)
    run(engine, task)
    assert recorder.calls == ["inputs_set", "run", "outputs_get", "outputs_release"]


@pytest.mark.parametrize("call", ["rknn_set_io_mem", "rknn_mem_sync"])
def test_a_failure_names_the_call(recorder: Recorder, engine: Engine, call: str) -> None:
    """Each EZR_CALL_* has its name here."""
    recorder.codes[call] = -5
    result = run(engine, DirectTask())
    assert (result.code, result.call) == (-5, call)


def test_a_task_that_ended_outside_the_runtime_has_a_clear_error() -> None:
    """No call can be named then."""
    assert str(error(-3, "")).startswith("the task failed: RKNN_ERR_DEVICE_UNAVAILABLE")


def test_refuses_direct_tasks_if_the_runtime_cannot_bind() -> None:
    """Old libraries lack the calls; the engine must not call nothing."""
    engine = Recorder(without=("rknn_set_io_mem", "rknn_mem_sync")).start()
    with pytest.raises(RknnError, match="refused"):
        run(engine, DirectTask())
    engine.destroy(-1)
