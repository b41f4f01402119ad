# SPDX-License-Identifier: Apache-2.0
"""RapidOCR, unchanged, reads pages with its three networks on the NPU; ``examples/ocr`` is the program."""

from __future__ import annotations

import difflib
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


INT8 = ("--int8",)
FLOAT16 = ()


@pytest.mark.parametrize("options", [FLOAT16, INT8], ids=["float16", "int8"])
def test_reads_the_same_with_three_networks_on_the_npu(reader: Reader, options: tuple[str, ...]) -> None:
    """On all three cores: a page is a task, and so is each of its lines. Of int8, what finds and turns the lines."""
    networks = reader.networks(DETECTION, ORIENTATION, options=options) | reader.networks(RECOGNITION)
    ended = run_on_npu(reader.python, networks, PROGRAMS / "count_tasks.py", OCR / "read.py", *reader.pages)
    assert TEXT.findall(ended.stdout) == reader.expected
    assert placed(ended, "NPU") == set(networks)
    assert placed(ended, "CPU") == set()
    pages, *lines = json.loads(ended.stdout.splitlines()[-1])
    assert pages == [1, 1, 1]
    assert lines == [[4, 4, 4]] * 2


def test_reads_nearly_the_same_with_all_of_it_in_int8(reader: Reader) -> None:
    """The recogniser loses spaces between words, calibrated with twelve lines as it is."""
    networks = reader.networks(DETECTION, ORIENTATION, RECOGNITION, options=INT8)
    ended = run_on_npu(reader.python, networks, OCR / "read.py", *reader.pages)
    found, expected = (
        "".join(lines).replace(" ", "").lower() for lines in (TEXT.findall(ended.stdout), reader.expected)
    )
    assert difflib.SequenceMatcher(None, found, expected).ratio() > 0.95


def test_reads_the_same_with_two_networks_on_the_npu(reader: Reader) -> None:
    """And recognition in ONNX Runtime."""
    networks = reader.networks(DETECTION, ORIENTATION)
    ended = run_on_npu(reader.python, networks, OCR / "read.py", *reader.pages)
    assert TEXT.findall(ended.stdout) == reader.expected
    assert (placed(ended, "NPU"), placed(ended, "CPU")) == (set(networks), {RECOGNITION})
