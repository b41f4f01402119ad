# SPDX-License-Identifier: Apache-2.0
"""Damaged model files: a sample of the variants of ``make fuzz-files``, and proof that it notices failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from file_fuzzing import campaign, trial
from file_fuzzing.anatomy import dissect
from file_fuzzing.bases import base_models
from file_fuzzing.damage import variant

if TYPE_CHECKING:
    from pathlib import Path

# A quarter of a minute's worth on an idle machine; more: EZ_RKNN_FUZZ_FILES=20000.
VARIANTS = int(os.environ.get("EZ_RKNN_FUZZ_FILES", "3000"))
SESSIONS = 0.15  # the share that is opened and run


@pytest.mark.timeout(1800)
def test_damaged_files_run_or_are_refused_when_they_are_opened(tmp_path: Path) -> None:
    """Both parsers agree, with ``RknnModelError`` and our own message, within 5 seconds and 500 MB."""
    report = campaign.run(base_models(collections=False), VARIANTS, seed=1, sessions=SESSIONS, folder=tmp_path)
    assert [(fault.order.seed, fault.outcome, fault.text) for fault in report.faults] == []
    assert sum(report.counts.values()) == VARIANTS
    # If nearly all or nearly none were refused at once, the variants would show nothing.
    assert report.counts[trial.REFUSED] > VARIANTS / 10
    assert report.counts[trial.RAN] > VARIANTS * SESSIONS / 10


def test_there_are_forty_base_models() -> None:
    """Every kind of committed model is one, so that every operator's fields are damaged."""
    assert len(base_models(collections=False)) > 40


def test_a_seed_always_gives_the_same_variant(data: Path) -> None:
    """A fault can be reproduced from its seed alone."""
    content = (data / "tiny_conv_int8.rknn").read_bytes()
    anatomy = dissect(content)
    first = [variant(content, anatomy, f"seed/{index}") for index in range(50)]
    assert first == [variant(content, anatomy, f"seed/{index}") for index in range(50)]
    assert len(set(first)) > 40


def test_an_anatomy_has_every_part(data: Path) -> None:
    """Fields that are not found would never be damaged."""
    anatomy = dissect((data / "residual_int8.rknn").read_bytes())
    fields = {number.field for number in anatomy.numbers}
    assert fields >= {"Root.schema_version", "Tensor.dtype", "Tensor.shape", "Tensor.scale", "Node.inputs", "Conv.pads"}
    assert {stretch.field for stretch in anatomy.data} >= {"WEIGHT", "LUT", "REGISTER_COMMANDS", "TASKS"}
    assert {text.field for text in anatomy.texts} >= {"Node.op", "Tensor.name", "Root.attributes", "summary"}
    assert anatomy.documents


def test_a_worker_measures_the_device_process(data: Path) -> None:
    """Most memory and time of a session are there, however the library has started it."""
    script = (
        "import sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from file_fuzzing import trial, worker\n"
        "worker.adopt_orphans()\n"
        "with trial.device_kept(Path(sys.argv[1]).read_bytes()):\n"
        "    print(max(worker.memory_of(process, 'VmRSS') for process in worker.descendants()))\n"
    )
    command = [sys.executable, "-c", script, str(data / "tiny_conv_int8.rknn")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(printed) > 30e6


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("os.kill(os.getpid(), 11)", campaign.CRASH),
        ("sys.exit(0)", campaign.CRASH),
        ("answer(seconds=5.1)", campaign.SLOW),
        ("answer(bytes=501_000_000)", campaign.LARGE),
        ("signal.pause()", campaign.SLOW),
        ("answer(outcome=trial.FAILED)", trial.FAILED),
        ("answer(outcome=trial.PARSERS_DIFFER)", trial.PARSERS_DIFFER),
    ],
)
def test_a_campaign_notices_failures(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, outcome: str
) -> None:
    """A process that dies, hangs or reports a violation is counted and replaced, and its file is kept."""
    program = tmp_path / "worker.py"
    program.write_text(
        "import json, os, signal, sys\n"
        f"sys.path[:0] = {json.dumps(sys.path)}\n"
        "from file_fuzzing import trial\n"
        "def answer(**given):\n"
        "    print(json.dumps({'outcome': trial.RAN, 'seconds': 0.0, 'bytes': 0, 'text': '', **given}), flush=True)\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        f"    {answer}\n"
    )
    monkeypatch.setattr(campaign, "PATIENCE", 2)
    monkeypatch.setattr(campaign, "WORKER", program)
    folder = tmp_path / "faults"
    report = campaign.run([data / "tiny_conv_int8.rknn"], 2, seed=1, jobs=1, folder=folder)
    assert dict(report.counts) == {outcome: 2}
    assert len(list(folder.glob("*.rknn"))) == len(list(folder.glob("*.txt"))) == 2
    assert outcome in report.table()
