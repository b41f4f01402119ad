"""What the library that this one replaces lacks, one test a gap: each is there, under both import names.

Here it is shown that each exists and does its work; the details are elsewhere: tests/session (test_futures,
test_asyncio, test_streams, test_limits, test_stuck, test_health, test_exchange, test_ending, test_data,
test_output_layout, test_stats), tests/test_arrays.py, tests/test_session_options.py, tests/test_profiling.py,
tests/runtime/test_locate.py. That anything here runs without a board is shown by its running.
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
    """By a method, or by leaving a with block."""
    with api.InferenceSession(data / "tiny_conv_int8.rknn") as session:
        feed = feed_of(session)
    with pytest.raises(api.RknnClosedError):
        session.run(None, feed)
    session.close()


def test_work_can_be_cancelled(open_session: OpenSession, simulated_npu: Configure) -> None:
    """What no worker has taken up never runs."""
    simulated_npu(SLOW)
    session = open_session(max_queue_size=4)
    first, *others = [session.submit(feed_of(session)) for _ in range(4)]
    assert others[-1].cancel()
    assert others[-1].cancelled()
    session.close()
    assert len(first.result(0)) == 1
    assert session.stats.cores["auto"].cancelled == 1


def test_a_run_can_be_limited_in_time(api: ModuleType, open_session: OpenSession, simulated_npu: Configure) -> None:
    """An NPU that is stuck keeps nobody for ever."""
    simulated_npu("compute=off,timing=fixed:400000")
    session = open_session(run_timeout_ms=20)
    with pytest.raises(api.RknnTimeoutError):
        session.run(None, feed_of(session))


def test_there_are_futures_and_coroutines(open_session: OpenSession) -> None:
    """Those of the standard library."""
    session = open_session()
    feed = feed_of(session)
    done, _ = concurrent.futures.wait([session.submit(feed) for _ in range(3)], timeout=60)
    assert [len(future.result()) for future in done] == [1, 1, 1]

    async def main() -> list[Any]:
        return await asyncio.gather(*(session.run_awaitable(None, feed) for _ in range(3)))

    assert [len(outputs) for outputs in asyncio.run(main())] == [1, 1, 1]


def test_a_submission_need_not_wait(api: ModuleType, open_session: OpenSession, simulated_npu: Configure) -> None:
    """submit(timeout=0): accepted now or not at all."""
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
    """By which the schedule and the profile know them."""
    session = open_session(schedule=[0, 1])
    assert [session.submit(feed_of(session)).task_id for _ in range(3)] == [0, 1, 2]


def test_a_pipeline_can_be_drained_and_asked_for_some_outputs(open_session: OpenSession) -> None:
    """The last frames are had without feeding dummies."""
    session = open_session("two_inputs_int8")
    names = session.output_names[1:]
    for _ in range(2):
        assert session.run_pipeline(feed_of(session), depth=2, output_names=names) is None
    assert [len(outputs) for outputs in session.drain_pipeline()] == [1, 1]


def test_outputs_can_be_had_raw_in_another_layout_and_in_ones_own_arrays(open_session: OpenSession) -> None:
    """And scale and zero point are there to read them by."""
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
    """Which Python's own numbers become."""
    session = open_session()
    feed = {name: np.ones(array.shape, dtype) for name, array in feed_of(session).items()}
    assert len(session.run(None, feed)) == 1


def test_dynamic_shapes_are_listed(open_session: OpenSession) -> None:
    """All that are legal."""
    assert len(open_session("dynamic_fp16").get_input_shapes()) == 3


def test_statistics_can_be_read(open_session: OpenSession) -> None:
    """Latency percentiles, queues, load of each core, memory."""
    session = open_session(schedule=[0, 1])
    for _ in range(4):
        session.run(None, feed_of(session))
    assert {name: core.completed for name, core in session.stats.cores.items()} == {"0": 2, "1": 2}
    assert session.stats.latency["npu"].count == 4
    assert session.stats.memory["weights"] > 0


def test_the_log_is_pythons(open_session: OpenSession, caplog: pytest.LogCaptureFixture) -> None:
    """One named logger, that programs and tests can turn up and down."""
    with caplog.at_level(logging.INFO, "ez_rknn_async"):
        open_session(schedule=[0, 1])
    assert "cores 0 1" in caplog.text


def test_a_profile_has_the_runtimes_layers(api: ModuleType, data: Path, tmp_path: Path) -> None:
    """A Chrome trace, with RKNN_QUERY_PERF_DETAIL."""
    options = api.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "profile")
    with api.InferenceSession(
        data / "tiny_conv_int8.rknn", options, provider_options={"collect_perf": True}
    ) as session:
        session.run(None, feed_of(session))
        profile = Path(session.end_profiling()).read_text()
    assert {event["name"] for event in json.loads(profile)["traceEvents"]} >= {"NPU", "queue"}
    assert "Conv" in profile


def test_the_runtime_can_be_told_more(open_session: OpenSession) -> None:
    """Priority, SRAM, the kind of memory."""
    session = open_session(priority="low", enable_sram=True, mem_flags="cacheable")
    assert len(session.run(None, feed_of(session))) == 1


def test_cores_are_found(open_session: OpenSession, simulated_npu: Configure) -> None:
    """schedule="all" is every core of whatever SoC it is."""
    assert list(open_session(schedule="all").stats.cores) == ["0", "1", "2"]
    assert list(open_session("rk3576_block_int8", schedule="all").stats.cores) == ["0", "1"]
    assert list(open_session("rk3566_block_int8", schedule="all").stats.cores) == ["0"]


def test_a_session_tells_its_health_and_recovers(
    api: ModuleType, open_session: OpenSession, simulated_npu: Configure
) -> None:
    """Without being made anew."""
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
    """What failed, in which call, and what to do."""
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
    """set_providers, run_with_ort_values."""
    session = open_session()
    feed = {name: api.OrtValue.ortvalue_from_numpy(array) for name, array in feed_of(session).items()}
    (value,) = session.run_with_ort_values(None, feed)
    assert value.numpy().shape == tuple(session.get_outputs()[0].shape)
    session.set_providers(None, {"schedule": [0, 1]})
    assert list(session.stats.cores) == ["0", "1"]


class HasArray:
    """Like a tensor of another library."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._array


class HasDLPack:
    """Like a tensor of yet another."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("form", ["OrtValue", "__array__", "DLPack"])
def test_a_feed_may_hold_what_other_libraries_give(form: str, api: ModuleType, open_session: OpenSession) -> None:
    """As it is."""
    session = open_session()
    wrap = {"OrtValue": api.OrtValue.ortvalue_from_numpy, "__array__": HasArray, "DLPack": HasDLPack}[form]
    assert len(session.run(None, {name: wrap(array) for name, array in feed_of(session).items()})) == 1


def test_what_a_callback_raises_is_logged_with_its_traceback(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture
) -> None:
    """And the next one is called."""
    session, collector, raised = open_session(), Collector(1), threading.Event()

    def broken(*_: Any) -> None:
        raised.set()
        raise ZeroDivisionError("in the callback")

    session.run_async(None, feed_of(session), broken)
    session.run_async(None, feed_of(session), collector)
    collector.wait()
    assert raised.is_set()
    assert "ZeroDivisionError: in the callback" in caplog.text
