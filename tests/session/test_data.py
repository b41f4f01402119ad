# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs of sessions: dynamic shapes, batches, native and preallocated outputs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError, RunOptions, SessionOptions, make_provider_options

from .conftest import OpenSession, feed_of
from .test_running import Collector

BATCH = {"ztu_modelrt_dispatch_batch": True}
Run = Callable[[InferenceSession, Any], list[Any]]


def by_run_async(session: InferenceSession, feed: Any) -> list[Any]:
    collector = Collector(1)
    session.run_async(None, feed, collector)
    ((results, _, error),) = collector.wait()
    assert error == ""
    return list(results)


def by_run_pipeline(session: InferenceSession, feed: Any) -> list[Any]:
    session.run_pipeline(feed, depth=1, reset=True)
    results = session.run_pipeline(feed, depth=1)
    assert results is not None
    return results


WAYS: dict[str, Run] = {
    "run": lambda session, feed: session.run(None, feed),
    "run_async": by_run_async,
    "run_pipeline": by_run_pipeline,
    "submit": lambda session, feed: session.submit(feed).result(),
    "map": lambda session, feed: next(iter(session.map([feed]))),
    "run_awaitable": lambda session, feed: asyncio.run(session.run_awaitable(None, feed)),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_legal_shape_of_a_dynamic_model_runs_in_every_way(
    way: str, open_session: OpenSession, data: Path
) -> None:
    """Results equal the recorded ones, in changing order and over cores that had other shapes before."""
    session = open_session("dynamic_fp16", simulator="", schedule=[0, 1])
    recorded = np.load(data / "dynamic_fp16.npz")
    for case in (2, 0, 1, 1, 0, 2):
        (result,) = WAYS[way](session, {"x": recorded[f"case{case}_input0"]})
        expected = recorded[f"case{case}_output0"]
        assert result.shape == expected.shape
        assert np.allclose(result, expected, atol=5e-3)


def test_one_stream_may_mix_shapes_of_a_dynamic_model(open_session: OpenSession) -> None:
    """Each task carries its own, so no core is left with another's."""
    session = open_session("dynamic_fp16", schedule=[0, 1, 2])
    shapes = [tuple(legal["x"]) for legal in session.get_input_shapes()] * 10
    results = session.map(np.zeros(shape, np.float32) for shape in shapes)
    assert [(y.shape[0], *y.shape[2:]) for (y,) in results] == [(n, h, w) for n, _, h, w in shapes]


def test_an_illegal_shape_never_reaches_the_npu(
    open_session: OpenSession, runs_by_core: Callable[..., list[int]]
) -> None:
    """The message lists the legal ones."""
    session = open_session("dynamic_fp16", schedule=0)
    legal = session.get_input_shapes()
    assert legal == [{"x": [1, 3, 16, 16]}, {"x": [1, 3, 12, 12]}, {"x": [1, 3, 8, 8]}]
    for way in WAYS.values():
        with pytest.raises(ValueError, match=r"\[1, 3, 16, 16\] or \[1, 3, 12, 12\] or \[1, 3, 8, 8\]"):
            way(session, np.zeros((1, 3, 9, 9), np.float32))
    assert sum(runs_by_core()) == 0


def test_a_dynamic_model_takes_nhwc_in_all_its_shapes(open_session: OpenSession, data: Path) -> None:
    """The layout is the user's, with any shape."""
    session = open_session("dynamic_fp16", simulator="", layout="nhwc")
    recorded = np.load(data / "dynamic_fp16.npz")
    (result,) = session.run(None, recorded["case1_input0"].transpose(0, 2, 3, 1))
    assert np.allclose(result, recorded["case1_output0"], atol=5e-3)


def batch_of(session: InferenceSession, samples: int) -> dict[str, Any]:
    feeds = [feed_of(session, seed) for seed in range(samples)]
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in session.input_names}


def run_options(value: str) -> RunOptions:
    options = RunOptions()
    options.add_run_config_entry("ztu_modelrt_dispatch_batch", value)
    return options


@pytest.mark.parametrize("options", [BATCH, {"ztu_modelrt_dispatch_batch": "on"}, run_options("1")])
def test_a_batch_gives_the_results_of_its_samples(options: Any, open_session: OpenSession) -> None:
    """They are joined in order, for every output."""
    session = open_session("two_inputs_int8", simulator="", schedule=[0, 1, 2])
    results = session.run(None, batch_of(session, 7), options)
    single = [session.run(None, feed_of(session, seed)) for seed in range(7)]
    for result, parts in zip(results, zip(*single)):
        assert np.array_equal(result, np.concatenate(parts))


def test_a_batch_is_spread_over_the_cores(open_session: OpenSession, runs_by_core: Callable[..., list[int]]) -> None:
    """Each sample is a task, and tasks rotate."""
    session = open_session(schedule=[0, 1, 2])
    session.run(None, batch_of(session, 9), BATCH)
    assert runs_by_core() == [3, 3, 3]


def test_a_batch_of_a_dynamic_model_has_one_of_its_shapes(open_session: OpenSession) -> None:
    """The samples decide which."""
    session = open_session("dynamic_fp16", schedule=[0, 1])
    (result,) = session.run(None, {"x": np.zeros((5, 3, 12, 12), np.float32)}, BATCH)
    assert result.shape == (5, 8, 12, 12)


def test_a_model_compiled_for_a_batch_takes_multiples_of_it(open_session: OpenSession, data: Path) -> None:
    """Eight samples for a model of four are two tasks, and nothing is cut off."""
    session = open_session("batch4_fp16", simulator="", schedule=[0, 1])
    recorded = np.load(data / "batch4_fp16.npz")
    (result,) = session.run(None, [np.concatenate([recorded["case0_input0"]] * 2)], BATCH)
    assert result.shape[0] == 8
    assert np.allclose(result, np.concatenate([recorded["case0_output0"]] * 2), atol=5e-3)


def test_a_batch_may_be_dispatched_inside_a_callback(open_session: OpenSession) -> None:
    """Its thread would have to deliver the samples, so they run one by one."""
    session, collector = open_session(schedule=[0, 1]), Collector(1)
    batch = batch_of(session, 4)

    def nested(_results: Any, _user_data: Any, error: str) -> None:
        collector(session.run(None, batch, BATCH), None, error)

    session.run_async(None, feed_of(session), nested)
    assert collector.wait()[0][0][0].shape[0] == 4


def test_only_run_takes_a_batch(open_session: OpenSession) -> None:
    """Elsewhere it is a RuntimeError, as documented."""
    session = open_session()
    with pytest.raises(RknnError, match=r"use it with run\(\)"):
        session.run_async(None, feed_of(session), print, None, BATCH)
    with pytest.raises(RknnError, match=r"use it with run\(\)"):
        asyncio.run(session.run_awaitable(None, feed_of(session), BATCH))


def test_refuses_an_unrequested_batch_with_advice(open_session: OpenSession) -> None:
    """The message says how to request it."""
    session = open_session()
    with pytest.raises(ValueError, match="ztu_modelrt_dispatch_batch"):
        session.run(None, batch_of(session, 3))


def test_native_outputs_dequantise_to_the_float32_ones(open_session: OpenSession) -> None:
    """int8 needs the scale and the zero point of get_outputs()."""
    floats, natives = open_session(simulator=""), open_session(simulator="", output_dtype="native")
    feed = feed_of(floats)
    (expected,), (raw,) = floats.run(None, feed), natives.run(None, feed)
    (quantization,) = [o.quantization for o in natives.get_outputs()]
    assert quantization is not None
    assert raw.dtype == np.int8
    assert len(np.unique(raw)) > 10
    assert np.allclose((raw.astype(np.float32) - quantization.zero_point) * quantization.scale, expected, atol=1e-5)
    (of_call,) = floats.run(None, feed, {"output_dtype": "native"})
    assert np.array_equal(of_call, raw)
    assert natives.run(None, feed, {"output_dtype": "float32"})[0].dtype == np.float32


def test_native_outputs_come_in_every_way_to_run(open_session: OpenSession) -> None:
    """A float16 model gives float16."""
    session = open_session("dynamic_fp16", output_dtype="native")
    assert [way(session, feed_of(session))[0].dtype for way in WAYS.values()] == [np.float16] * len(WAYS)


def test_writes_outputs_into_the_given_arrays(open_session: OpenSession) -> None:
    """The returned list contains that very array, and the others are new."""
    session = open_session("two_inputs_int8", simulator="")
    feed = feed_of(session)
    small, large = session.output_names
    expected = dict(zip((small, large), session.run(None, feed)))
    mine = np.full(expected[large].shape, np.nan, np.float32)
    results = session.run([large, small], feed, outputs={large: mine})
    assert results[0] is mine
    assert np.array_equal(mine, expected[large])
    assert np.array_equal(results[1], expected[small])


def test_refuses_an_output_array_of_the_wrong_shape(open_session: OpenSession) -> None:
    """The runtime would write nothing and return success."""
    session = open_session()
    (name,) = session.output_names
    with pytest.raises(ValueError, match=rf"outputs\['{name}'\] is of type float32 and shape \[3\]"):
        session.run(None, feed_of(session), outputs={name: np.empty(3, np.float32)})


def test_metadata_has_the_models_producer_and_its_custom_string(open_session: OpenSession) -> None:
    """Programs look for the key rknn_custom_string."""
    meta = open_session("custom_string_fp16").get_modelmeta()
    assert meta.custom_metadata_map["rknn_custom_string"]
    assert (meta.producer_name, meta.domain, meta.graph_name) == ("rknn-toolkit2", "ONNX", "rk3588")
    assert "rknn_custom_string" not in open_session().get_modelmeta().custom_metadata_map


def profiled(data: Path, prefix: Path, **options: Any) -> InferenceSession:
    session_options = SessionOptions()
    session_options.enable_profiling = True
    session_options.profile_file_prefix = str(prefix)
    provider_options = make_provider_options(
        runtime_library="simulator", simulator="compute=off,timing=fixed:2000", schedule=[0, 1], **options
    )
    return InferenceSession(data / "tiny_conv_int8.rknn", session_options, provider_options=provider_options)


def spans(path: str) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the spans of a profile by row and name."""
    events = json.loads(Path(path).read_text())["traceEvents"]
    rows = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in rows.values()}
    for event in events:
        if event["ph"] == "X":
            found[rows[event["tid"]]].setdefault(event["name"], []).append(event)
    return found


def test_a_profile_shows_every_task_on_its_core(data: Path, tmp_path: Path) -> None:
    """The NPU's spans last as long as the NPU was busy; run and run_async look alike; callbacks have a row."""
    with profiled(data, tmp_path / "mine_") as session:
        assert session.get_profiling_start_time_ns() > 0
        assert session.get_session_options().enable_profiling
        collector = Collector(3)
        for _ in range(3):
            session.run_async(None, feed_of(session), collector)
        collector.wait()
        session.run(None, feed_of(session))
        last = Collector(1)
        session.run_async(None, feed_of(session), last)
        last.wait()  # so that the callbacks before it have returned
        path = session.end_profiling()
        assert session.end_profiling() == path
    assert Path(path).name.startswith("mine_")
    found = spans(path)
    assert set(found) == {"callbacks", "core 0", "core 1"}
    assert [len(found[f"core {core}"]["NPU"]) for core in (0, 1)] == [3, 2]
    assert all(span["dur"] >= 2000 for core in (0, 1) for span in found[f"core {core}"]["NPU"])
    assert {span["args"]["task"] for span in found["callbacks"]["callback"]} >= {0, 1, 2}


def test_closing_the_session_writes_an_unended_profile(data: Path, tmp_path: Path) -> None:
    """ONNX Runtime does so when its session goes."""
    with profiled(data, tmp_path / "mine_") as session:
        session.run(None, feed_of(session))
    (path,) = tmp_path.iterdir()
    assert len(spans(str(path))["core 0"]["NPU"]) == 1


def test_a_profile_has_the_runtimes_table_of_layers_on_request(data: Path, tmp_path: Path) -> None:
    """It is measured separately, so that the profile has the tasks of the program alone."""
    with profiled(data, tmp_path / "mine_", collect_perf=True) as session:
        session.run(None, feed_of(session))
        path = session.end_profiling()
    layers = json.loads(Path(path).read_text())["otherData"]["layers"]
    assert "InputOperator" in layers
    assert "Total Operator Elapsed Time(us)" in layers
    assert sum(len(row.get("NPU", [])) for row in spans(path).values()) == 1


def test_without_profiling_there_is_no_file(open_session: OpenSession) -> None:
    """ONNX Runtime writes none either."""
    session = open_session()
    assert session.end_profiling() == ""
    assert session.get_profiling_start_time_ns() == 0
