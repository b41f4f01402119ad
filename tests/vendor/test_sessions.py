# SPDX-License-Identifier: Apache-2.0
"""Opening and closing sessions: every option, and nothing left behind."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError, make_provider_options
from ez_rknn_async._options.provider_options import ProviderOptions
from ez_rknn_async._runtime.library import load

from .conftest import OpenSession
from .npu import FakeNpu

# Each provider option with a value other than its default, and those that 1.5.2 cannot do, with their errors.
OPTIONS: list[dict[str, Any]] = [
    {"layout": "nhwc"},
    {"layout": "any"},
    {"max_queue_size": 1},
    {"threads_per_core": 2},
    {"submit_timeout_ms": 50},
    {"sequential_callbacks": False},
    {"schedule": "all"},
    {"tp_mode": "0,1,2"},
    {"schedule": [0, 1], "dispatch": "least_loaded"},
    {"run_timeout_ms": 30_000},
    {"load_timeout_ms": 30_000},
    {"enable_pacing": True},
    {"schedule": [0, 1], "disable_dup_context": True},
    {"output_dtype": "native"},
    {"collect_perf": True},
    {"io_mode": "copy"},
    {"io_mode": "direct"},
    {"mem_flags": "cacheable"},
    {"zero_copy_layout": "native"},
    {"output_layout": "nhwc"},
    *({"priority": priority} for priority in ("high", "medium", "low")),
    {"enable_sram": True},
    {"gpu_fallback": True},
    {"batch_core_num": 3},
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"mem_flags": "non_cacheable"}, "needs a runtime that has rknn_create_mem2"),
    ({"mem_flags": "try_sram"}, "needs a runtime that has rknn_create_mem2"),
    ({"disable_flush_input": True}, "rknn_mem_sync"),
    ({"disable_flush_output": True}, "rknn_mem_sync"),
    ({"custom_op_path": "/nowhere/plugin.so"}, "has no function rknn_register_custom_ops"),
    ({"custom_op_default_path": True}, "has no function rknn_register_custom_ops"),
    ({"simulator": "compute=off"}, "drives a real NPU"),
]


def run_once(session: InferenceSession) -> list[Any]:
    return list(session.run(None, {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}))


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(f"{k}={v}" for k, v in o.items()))
def test_every_provider_option_runs_on_the_vendors_library(options: dict[str, Any], open_session: OpenSession) -> None:
    """Each option opens, runs and closes; every test here checks that nothing stays allocated."""
    session = open_session("block_int8", **options)
    assert len(run_once(session)) == len(session.get_outputs())
    session.close()


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=lambda o: str(o))
def test_refuses_options_that_this_version_lacks(
    options: dict[str, Any], words: str, npu: FakeNpu, vendor_library: str, data: Path
) -> None:
    """They are refused before anything runs; nothing stays open."""
    options = make_provider_options(runtime_library=vendor_library, **options)
    with pytest.raises(RknnError, match=words):
        InferenceSession(data / "block_int8.rknn", provider_options=options)


def test_every_provider_option_is_tested_here() -> None:
    """A new one must be tried on the vendor's library, too."""
    tried = {name for options in (*OPTIONS, *(options for options, _ in REFUSED)) for name in options}
    assert tried | {"runtime_library"} == {field.name for field in dataclasses.fields(ProviderOptions)}


def test_duplicated_contexts_share_the_weights(open_session: OpenSession, npu: FakeNpu) -> None:
    """A second context of a session costs no second copy of the weights in memory that the NPU can reach."""

    def weights() -> int:
        # The memory of the weights begins with the file itself.
        return sum(m.bytes[:4].tobytes() == b"RKNN" for m in npu.memories())

    before = weights()  # what other tests have left
    open_session("block_int8", schedule=[0, 1, 2])
    assert weights() == before + 1
    open_session("block_int8", schedule=[0, 1, 2], disable_dup_context=True)
    assert weights() == before + 1 + 3


def test_a_hundred_sessions_leave_nothing_behind(io_mode: str, open_session: OpenSession, npu: FakeNpu) -> None:
    """The numbers of memory handles, file descriptors and mappings are the same as before."""
    run_and_close(open_session, io_mode)  # the device is opened once, and stays open
    memories, descriptors = len(npu.memories()), len(os.listdir("/proc/self/fd"))
    created, destroyed = npu.count("MEMORY_CREATE"), npu.count("MEMORY_DESTROY")
    for _ in range(100):
        run_and_close(open_session, io_mode)
    created, destroyed = npu.count("MEMORY_CREATE") - created, npu.count("MEMORY_DESTROY") - destroyed
    assert created == destroyed >= 100 * 5
    assert npu.count("DESTROYED_NOTHING") == 0
    assert len(npu.memories()) == memories
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def run_and_close(open_session: OpenSession, io_mode: str) -> None:
    session = open_session("tiny_conv_int8", schedule=[0, 1], io_mode=io_mode)
    run_once(session)
    session.close()


def test_allocates_no_memory_after_the_first_run(io_mode: str, open_session: OpenSession, npu: FakeNpu) -> None:
    """The buffers of inputs and outputs are allocated once a context."""
    session = open_session(io_mode=io_mode)
    run_once(session)
    created, mapped = npu.count("MEMORY_CREATE"), npu.count("MEMORY_MAP")
    for _ in range(10):
        run_once(session)
    assert (npu.count("MEMORY_CREATE"), npu.count("MEMORY_MAP")) == (created, mapped)


def test_works_with_a_library_that_lacks_the_newer_functions(vendor_library: str, open_session: OpenSession) -> None:
    """Version 1.5.2 has neither rknn_mem_sync nor rknn_create_mem2."""
    library = load(vendor_library)
    assert not library.has("rknn_mem_sync")
    assert not library.has("rknn_create_mem2")
    assert library.has("rknn_create_mem")
    assert not library.simulated
    run_once(open_session())


def test_the_session_tells_a_real_npu_from_a_simulated_one(open_session: OpenSession) -> None:
    """Providers and metadata come from the library that was loaded."""
    session = open_session()
    assert session.get_providers() == ["RKNPU2ExecutionProvider"]
