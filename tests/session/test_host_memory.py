# SPDX-License-Identifier: Apache-2.0
"""Host memory that a session uses for its model: none for a path, otherwise the bytes without a copy."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

from ..conftest import ROOT
from .conftest import feed_of

FILE_SIZE = 64 << 20  # much more than anything else that happens meanwhile
SMALL = ROOT / "tests" / "data" / "tiny_conv_int8.rknn"
OPTIONS: list[dict[str, Any]] = [{"schedule": [0, 1]}, {"schedule": [0, 1], "disable_dup_context": True}]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A model with enough bytes behind it that a copy of the file shows; the file is sparse."""
    path = tmp_path / "large.rknn"
    shutil.copyfile(SMALL, path)
    os.truncate(path, FILE_SIZE)
    return path


def status(field: str) -> int:
    """Return a number of bytes that the kernel reports for this process."""
    (kibibytes,) = re.findall(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kibibytes) << 10


def reset_peak() -> int:
    """Reset VmHWM, the peak of resident memory; return what is resident now."""
    open_session(SMALL).close()  # memory that only the first session of a process needs
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def open_session(model: Any, **options: Any) -> InferenceSession:
    session = InferenceSession(
        model, provider_options=make_provider_options(runtime_library="simulator", simulator="compute=off", **options)
    )
    session.run(None, feed_of(session))
    return session


@pytest.mark.parametrize("options", OPTIONS, ids=["dup", "init"])
def test_maps_a_file_without_reading_or_keeping_it(large: Path, options: dict[str, Any]) -> None:
    """Never is as much as half of it resident; once the session is open it is neither mapped nor held open."""
    before = reset_peak()
    with open_session(large, **options):
        assert status("VmHWM") - before < FILE_SIZE // 2
        gc.collect()
        assert large.name not in Path("/proc/self/smaps").read_text()
        held = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        assert not [target for target in held if large.name in target]


@pytest.mark.parametrize("options", OPTIONS, ids=["dup", "init"])
def test_does_not_copy_bytes(large: Path, options: dict[str, Any]) -> None:
    """They are the caller's; every context is loaded from them."""
    content = np.fromfile(large, np.uint8).tobytes()
    before = reset_peak()
    with open_session(content, **options):
        assert status("VmHWM") - before < FILE_SIZE // 2


def test_copies_a_mutable_array_once(large: Path) -> None:
    """The caller may change and drop it; the session has one copy of its content."""
    content = np.fromfile(large, np.uint8)
    before = reset_peak()
    with open_session(memoryview(content.data), schedule=[0, 1]) as session:
        del content
        gc.collect()
        assert status("VmRSS") - before < FILE_SIZE // 2
        assert session.run(None, feed_of(session))


@pytest.mark.parametrize("is_switched_off", [False, True])
def test_contexts_beyond_the_first_are_duplicates_by_default(is_switched_off: bool) -> None:
    """The weights are then in NPU memory once for all cores; the simulated NPU counts its calls."""
    calls = ctypes.CDLL(str(SIMULATOR_LIBRARY)).ez_rknn_simulator_calls
    calls.restype = ctypes.c_uint64
    loaded, duplicated = calls(b"rknn_init"), calls(b"rknn_dup_context")
    open_session(SMALL, schedule=[0, 1, 2], disable_dup_context=is_switched_off).close()
    loaded, duplicated = calls(b"rknn_init") - loaded, calls(b"rknn_dup_context") - duplicated
    # One more than there are cores: direct I/O is tried on it first.
    assert (loaded, duplicated) == ((4, 0) if is_switched_off else (1, 3))
