"""What a session keeps of its model: nothing, if it was given a path, and otherwise the bytes without a copy."""

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
    """A model with so much behind it that a copy of the file cannot be overlooked; on the disk it takes no place."""
    path = tmp_path / "large.rknn"
    shutil.copyfile(SMALL, path)
    os.truncate(path, FILE_SIZE)
    return path


def status(field: str) -> int:
    """A number of bytes that the kernel has about this process."""
    (kibibytes,) = re.findall(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kibibytes) << 10


def forget_the_peak() -> int:
    """Make VmHWM, the most that was ever resident, begin anew; what is resident now."""
    open_session(SMALL).close()  # what the first session of a process needs besides
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
def test_a_file_is_mapped_and_not_read_and_not_kept(large: Path, options: dict[str, Any]) -> None:
    """At no time is as much as half of it resident; once the session is open it is neither mapped nor held open."""
    before = forget_the_peak()
    with open_session(large, **options):
        assert status("VmHWM") - before < FILE_SIZE // 2
        gc.collect()
        assert large.name not in Path("/proc/self/smaps").read_text()
        held = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        assert not [target for target in held if large.name in target]


@pytest.mark.parametrize("options", OPTIONS, ids=["dup", "init"])
def test_bytes_are_not_copied(large: Path, options: dict[str, Any]) -> None:
    """They are the caller's; every context is loaded from them."""
    content = np.fromfile(large, np.uint8).tobytes()
    before = forget_the_peak()
    with open_session(content, **options):
        assert status("VmHWM") - before < FILE_SIZE // 2


def test_an_array_that_may_change_is_copied_once(large: Path) -> None:
    """The caller's may be changed and let go of; the session has the content, and no more than that."""
    content = np.fromfile(large, np.uint8)
    before = forget_the_peak()
    with open_session(memoryview(content.data), schedule=[0, 1]) as session:
        del content
        gc.collect()
        assert status("VmRSS") - before < FILE_SIZE // 2
        assert session.run(None, feed_of(session))


@pytest.mark.parametrize("is_switched_off", [False, True])
def test_contexts_beyond_the_first_are_duplicates_unless_that_is_switched_off(is_switched_off: bool) -> None:
    """So the weights are in NPU memory once for all cores; the simulated NPU counts its calls."""
    calls = ctypes.CDLL(str(SIMULATOR_LIBRARY)).ez_rknn_simulator_calls
    calls.restype = ctypes.c_uint64
    loaded, duplicated = calls(b"rknn_init"), calls(b"rknn_dup_context")
    open_session(SMALL, schedule=[0, 1, 2], disable_dup_context=is_switched_off).close()
    loaded, duplicated = calls(b"rknn_init") - loaded, calls(b"rknn_dup_context") - duplicated
    # One more than there are cores: direct I/O is tried on it first.
    assert (loaded, duplicated) == ((4, 0) if is_switched_off else (1, 3))
