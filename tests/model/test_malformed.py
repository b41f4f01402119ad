# SPDX-License-Identifier: Apache-2.0
"""No file, however damaged, does more than raise ``RknnModelError``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import load

from . import torture
from .amplifiers import AMPLIFIERS
from .malformed import find_places, variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_VARIANTS = int(os.environ.get("EZ_RKNN_FUZZ", "10000"))
_FILES = (
    "tiny_conv_int8",
    "block_int8",
    "block_fp16",
    "dynamic_fp16",
    "sequence_int8",
    "two_inputs_fp16",
    "reshapes_int8",
    "rk3576_block_int8",
    "rk3562_conv_int8",
    "activations_int8",
    "lstm_reverse_int8",
    "gru_reverse_fp16",
)


def attempt(data: bytes) -> bool:
    """True if ``data`` loads; anything but ``RknnModelError`` is an error of the test."""
    try:
        load(data)
    except RknnModelError:
        return False
    return True


@pytest.mark.timeout(1800)
def test_malformed_variants_only_raise_model_errors(data: Path) -> None:
    """Each of thousands of damaged and hostile files is read or refused within 4 seconds and 200 MB."""
    files = [str(data / f"{name}.rknn") for name in _FILES]
    command = [sys.executable, torture.__file__, "0", str(_VARIANTS), *files]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    report = json.loads(process.stdout)
    assert report["failures"] == []
    counts = report["counts"]
    assert sum(counts.values()) == _VARIANTS
    # If nearly all or nearly none were refused at once, the variants would show nothing.
    assert min(counts["accepted"], counts["refused"]) > _VARIANTS / 20


@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=lambda amplifier: amplifier.__name__)
def test_a_file_costs_no_more_than_its_size_allows(amplifier: Callable[[], bytes]) -> None:
    """A file that points to the same bytes again and again is refused before it costs time or memory."""
    data = amplifier()
    begin = time.process_time()
    attempt(data)
    seconds = time.process_time() - begin
    tracemalloc.start()
    try:
        attempt(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seconds < torture.SECONDS
    assert peak < torture.MEGABYTES * 2**20
    assert peak < 24 * len(data) + 2**20


def test_a_seed_always_gives_the_same_variant(data: Path) -> None:
    """A failure can be reproduced from its seed alone."""
    original = (data / "tiny_conv_int8.rknn").read_bytes()
    places = find_places(original)
    seeds = [f"seed/{index}" for index in range(50)]
    first = [variant(original, places, seed) for seed in seeds]
    assert first == [variant(original, places, seed) for seed in seeds]
    assert len(set(first)) > 40


def test_the_torture_notices_slow_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a working time limit the first test could not fail for that reason."""

    def forever(_data: bytes) -> bool:
        while True:
            pass

    monkeypatch.setattr(torture, "walk", forever)
    monkeypatch.setattr(torture, "SECONDS", 0.05)
    before = signal.getsignal(signal.SIGPROF)
    torture.limit_time()
    try:
        assert "TooSlow" in torture.attempt(b"")
    finally:
        signal.signal(signal.SIGPROF, before)


def test_the_torture_notices_large_variants(root: Path) -> None:
    """The same holds for the memory limit."""
    script = (
        "from tests.model import torture; torture.limit_memory(); "
        "torture.walk = lambda data: bytearray(2**21 * torture.MEGABYTES); print(torture.attempt(b''))"
    )
    process = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert "MemoryError" in process.stdout
