# SPDX-License-Identifier: Apache-2.0
"""Gaps of the library that this one replaces, one test each: every feature is there, under both import names.

These tests show that each feature works; the details are elsewhere: tests/session (test_futures, test_asyncio,
test_streams, test_limits, test_stuck, test_health, test_exchange, test_ending, test_data, test_output_layout,
test_stats), tests/test_arrays.py, tests/test_session_options.py, tests/test_profiling.py, tests/runtime/test_locate.py.
That they run at all shows that no board is needed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import numpy as np
import pytest

from ..session.conftest import feed_of
from ..session.test_running import Collector
from .conftest import OpenSession

Configure = Callable[[str], None]
SLOW = "compute=off,timing=fixed:20000"


def test_sessions_can_be_closed(api: ModuleType, data: Path) -> None:
    """A method closes them, and so does leaving a with block."""
    with api.InferenceSession(data / "tiny_conv_int8.rknn") as session:
        feed = feed_of(session)
    with pytest.raises(api.RknnClosedError):
        session.run(None, feed)
    session.close()


def test_work_can_be_cancelled(open_session: OpenSession, simulated_npu: Configure) -> None:
    """A task that no worker has taken up never runs."""
    simulated_npu(SLOW)
    session = open_session(max_queue_size=4)
    first, *others = [session.submit(feed_of(session)) for _ in range(4)]
    assert others[-1].cancel()
    assert others[-1].cancelled()
    session.close()
    assert len(first.result(0)) == 1
    assert session.stats.cores["auto"].cancelled == 1


def test_a_run_can_be_limited_in_time(api: ModuleType, open_session: OpenSession, simulated_npu: Configure) -> None:
    """A stuck NPU blocks no one for ever."""
    simulated_npu("compute=off,timing=fixed:400000")
    session = open_session(run_timeout_ms=20)
    with pytest.raises(api.RknnTimeoutError):
        session.run(None, feed_of(session))


def test_there_are_futures_and_coroutines(open_session: OpenSession) -> None:
    """They are the standard library's."""
    session = open_session()
    feed = feed_of(session)
    done, _ = concurrent.futures.wait([session.submit(feed) for _ in range(3)], timeout=60)
    assert [len(future.result()) for future in done] == [1, 1, 1]

    async def main() -> list[Any]:
        return await asyncio.gather(*(session.run_awaitable(None, feed) for _ in range(3)))

    assert [len(outputs) for outputs in asyncio.run(main())] == [1, 1, 1]


def test_a_submission_need_not_wait(api: ModuleType, open_session: OpenSession, simulated_npu: Configure) -> None:
    """submit(timeout=0) is accepted now or not at all."""
    simulated_npu(SLOW)
    session = open_session(max_queue_size=1)
    feed = feed_of(session)
    accepted = []

    def fill_the_queue() -> None:
        while True:
            accepted.append(session.submit(feed, timeout=0))

    with pytest.raises(api.RknnTimeoutError):
        fill_the_queue()
    assert [len(future.result(60)) for future in accepted] == [1] * len(accepted)
    assert accepted


def test_tasks_have_numbers(open_session: OpenSession) -> None:
    """The schedule and the profile use them."""
    session = open_session(schedule=[0, 1])
    assert [session.submit(feed_of(session)).task_id for _ in range(3)] == [0, 1, 2]


def test_a_pipeline_can_be_drained_and_asked_for_some_outputs(open_session: OpenSession) -> None:
    """The last frames need no dummies behind them."""
    session = open_session("two_inputs_int8")
    names = session.output_names[1:]
    for _ in range(2):
        assert session.run_pipeline(feed_of(session), depth=2, output_names=names) is None
    assert [len(outputs) for outputs in session.drain_pipeline()] == [1, 1]


def test_outputs_can_be_raw_in_another_layout_or_in_given_arrays(open_session: OpenSession) -> None:
    """Scale and zero point are there to interpret them."""
    session = open_session()
    feed, (output,) = feed_of(session), session.get_outputs()
    n, c, h, w = output.shape
    (raw,) = session.run(None, feed, {"output_dtype": "native", "output_layout": "nhwc"})
    assert (raw.dtype, raw.shape) == (np.dtype(np.int8), (n, h, w, c))
    assert output.quantization is not None
    mine = np.empty(output.shape, np.float32)
    assert session.run(None, feed, outputs={output.name: mine})[0] is mine


@pytest.mark.parametrize("dtype", ["float64", "uint64"])
def test_wide_types_are_cast(dtype: str, open_session: OpenSession) -> None:
    """Python's own numbers are such types."""
    session = open_session()
    feed = {name: np.ones(array.shape, dtype) for name, array in feed_of(session).items()}
    assert len(session.run(None, feed)) == 1


def test_dynamic_shapes_are_listed(open_session: OpenSession) -> None:
    """The list has all legal ones."""
    assert len(open_session("dynamic_fp16").get_input_shapes()) == 3


def test_statistics_can_be_read(open_session: OpenSession) -> None:
    """They have latency percentiles, queues, load of each core, memory."""
    session = open_session(schedule=[0, 1])
    for _ in range(4):
        session.run(None, feed_of(session))
    assert {name: core.completed for name, core in session.stats.cores.items()} == {"0": 2, "1": 2}
    assert session.stats.latency["npu"].count == 4
    assert session.stats.memory["weights"] > 0


def test_logs_through_pythons_logging(open_session: OpenSession, caplog: pytest.LogCaptureFixture) -> None:
    """Programs and tests can adjust one named logger."""
    with caplog.at_level(logging.INFO, "ez_rknn_async"):
        open_session(schedule=[0, 1])
    assert "cores 0 1" in caplog.text


def test_a_profile_has_the_runtimes_layers(api: ModuleType, data: Path, tmp_path: Path) -> None:
    """It is a Chrome trace, with RKNN_QUERY_PERF_DETAIL."""
    options = api.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    with api.InferenceSession(
        data / "tiny_conv_int8.rknn", options, provider_options={"collect_perf": True}
    ) as session:
        session.run(None, feed_of(session))
        profile = Path(session.end_profiling()).read_text()
    assert {event["name"] for event in json.loads(profile)["traceEvents"]} >= {"NPU", "queue"}
    assert "Conv" in profile


def test_passes_more_options_to_the_runtime(open_session: OpenSession) -> None:
    """Priority, SRAM and the kind of memory are among them."""
    session = open_session(priority="low", enable_sram=True, mem_flags="cacheable")
    assert len(session.run(None, feed_of(session))) == 1


def test_finds_all_cores(open_session: OpenSession, simulated_npu: Configure) -> None:
    """schedule="all" is every core of the current SoC."""
    assert list(open_session(schedule="all").stats.cores) == ["0", "1", "2"]
    assert list(open_session("rk3576_block_int8", schedule="all").stats.cores) == ["0", "1"]
    assert list(open_session("rk3566_block_int8", schedule="all").stats.cores) == ["0"]


def test_a_session_reports_its_health_and_recovers(
    api: ModuleType, open_session: OpenSession, simulated_npu: Configure
) -> None:
    """It need not be opened again."""
    simulated_npu("compute=off,fault=rknn_run:fail=-3")
    session = open_session()
    with pytest.raises(api.RknnDeviceError):
        session.run(None, feed_of(session))
    assert not session.health.ok
    simulated_npu("compute=off")
    session.reset()
    assert len(session.run(None, feed_of(session))) == 1
    assert session.health.ok


def test_exceptions_have_kinds_and_codes(api: ModuleType, open_session: OpenSession, simulated_npu: Configure) -> None:
    """They say what failed, in which call, and what to do."""
    simulated_npu("compute=off,fault=rknn_run:fail=-4")
    session = open_session()
    with pytest.raises(api.RknnError) as caught:
        session.run(None, feed_of(session))
    assert (caught.value.code, caught.value.symbol, caught.value.call) == (-4, "RKNN_ERR_MALLOC_FAIL", "rknn_run")


def test_session_and_run_options_are_real(api: ModuleType, data: Path) -> None:
    """They are read, and can be read back."""
    options = api.SessionOptions()
    options.log_severity_level = 3
    run_options = api.RunOptions()
    run_options.add_run_config_entry("output_dtype", "native")
    with api.InferenceSession(data / "tiny_conv_int8.rknn", options) as session:
        assert session.get_session_options().log_severity_level == 3
        assert session.run(None, feed_of(session), run_options)[0].dtype == np.int8
    api.set_default_logger_severity(2)


def test_the_rest_of_onnx_runtimes_session_is_there(open_session: OpenSession, api: ModuleType) -> None:
    """set_providers and run_with_ort_values are among it."""
    session = open_session()
    feed = {name: api.OrtValue.ortvalue_from_numpy(array) for name, array in feed_of(session).items()}
    (value,) = session.run_with_ort_values(None, feed)
    assert value.numpy().shape == tuple(session.get_outputs()[0].shape)
    session.set_providers(None, {"schedule": [0, 1]})
    assert list(session.stats.cores) == ["0", "1"]


class HasArray:
    """A tensor with ``__array__``, like another library's."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._array


class HasDLPack:
    """A tensor with DLPack, like yet another library's."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("form", ["OrtValue", "__array__", "DLPack"])
def test_feeds_accept_arrays_of_other_libraries(form: str, api: ModuleType, open_session: OpenSession) -> None:
    """They are taken directly."""
    session = open_session()
    wrap = {"OrtValue": api.OrtValue.ortvalue_from_numpy, "__array__": HasArray, "DLPack": HasDLPack}[form]
    assert len(session.run(None, {name: wrap(array) for name, array in feed_of(session).items()})) == 1


def test_logs_an_exception_of_a_callback_with_its_traceback(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """The next callback is called."""
    session, collector, raised = open_session(), Collector(1), threading.Event()

    def broken(*_: Any) -> None:
        raised.set()
        raise ZeroDivisionError("in the callback")

    session.run_async(None, feed_of(session), broken)
    session.run_async(None, feed_of(session), collector)
    collector.wait()
    assert raised.is_set()
    assert "ZeroDivisionError: in the callback" in caplog.text
