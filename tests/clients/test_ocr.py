# SPDX-License-Identifier: Apache-2.0
"""RapidOCR, unchanged, reads pages with its three networks on the NPU; ``examples/ocr`` is the program."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .clients import PROGRAMS
from .environments import BUILD, PATIENCE, python_with, run
from .networks import OCR, compiled, toolkit
from .test_onnxruntime_programs import placed, recorded, run_on_npu

pytestmark = pytest.mark.timeout(8 * PATIENCE)

TEXT = re.compile(r"^\d\.\d\d  (.*)$", re.MULTILINE)
DETECTION, ORIENTATION, RECOGNITION = (
    "ch_PP-OCRv4_det_infer",
    "ch_ppocr_mobile_v2.0_cls_infer",
    "ch_PP-OCRv4_rec_infer",
)


class Reader:
    """The program with its pages, and what it reads in ONNX Runtime."""

    def __init__(self) -> None:
        toolkit()
        self.python = python_with("ocr", "rapidocr_onnxruntime==1.4.4")
        run(self.python, OCR / "draw_pages.py", BUILD / "pages")
        self.pages = sorted((BUILD / "pages").glob("*.png"))
        printed, recordings = recorded(self.python, "ocr", OCR / "read.py", *self.pages)
        self.expected = TEXT.findall(printed)
        self.recordings = {each.name: each for each in recordings}

    def networks(self, *names: str, options: tuple[str, ...] = ()) -> dict[str, Path]:
        return {name: compiled(self.recordings[name], "--one-sample", *options) for name in names}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def test_reads_what_was_drawn(reader: Reader) -> None:
    """In ONNX Runtime; what follows is compared with it."""
    assert len(reader.expected) == 12
    assert "Departure 08:45" in reader.expected


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_reads_the_same_with_three_networks_on_the_npu(reader: Reader, precision: str) -> None:
    """On all three cores: a page is a task, and so is each of its lines."""
    options = ("--int8",) if precision == "int8" else ()
    networks = reader.networks(DETECTION, ORIENTATION, RECOGNITION, options=options)
    ended = run_on_npu(reader.python, networks, PROGRAMS / "count_tasks.py", OCR / "read.py", *reader.pages)
    assert TEXT.findall(ended.stdout) == reader.expected
    assert placed(ended, "NPU") == set(networks)
    assert placed(ended, "CPU") == set()
    pages, *lines = json.loads(ended.stdout.splitlines()[-1])
    assert pages == [1, 1, 1]
    assert lines == [[4, 4, 4]] * 2


def test_reads_the_same_with_two_networks_on_the_npu(reader: Reader) -> None:
    """And recognition in ONNX Runtime."""
    networks = reader.networks(DETECTION, ORIENTATION)
    ended = run_on_npu(reader.python, networks, OCR / "read.py", *reader.pages)
    assert TEXT.findall(ended.stdout) == reader.expected
    assert (placed(ended, "NPU"), placed(ended, "CPU")) == (set(networks), {RECOGNITION})
