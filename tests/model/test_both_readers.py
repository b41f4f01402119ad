"""The C++ reader of the simulated NPU and this package's parser accept the same files.

Thousands of variants of ordinary models go through both in ``tests/tools/test_file_fuzzing.py``; here is what those do
not reach.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from file_fuzzing import campaign

from ez_rknn_async.model.format import flatbuffer, schema

from . import amplifiers

if TYPE_CHECKING:
    from pathlib import Path

_VARIANTS = 400
_ROW = re.compile(r'\{(\d+), "(\w+)", FieldType::(\w+)(?:, (\d+))?(?:, &(\w+))?\}')
_TABLE = re.compile(r"constexpr FieldSchema (\w+)_fields\[\] = \{\n(.*?)\n\};", re.DOTALL)
_PARAMETERS = re.compile(r"\{(\d+), &(\w+)\},")

# In a process of its own: the C++ reader may take 5 s and 500 MB beside what the interpreter has.
_OPEN_NATIVELY = """
import resource, sys
from ez_rknn_async.errors import RknnModelError
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.locate import SIMULATOR, locate
from tests.model.amplifiers import {amplifier}
content = {amplifier}()
library = locate(SIMULATOR).library
with open("/proc/self/statm", encoding="ascii") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 500 * 10**6, resource.RLIM_INFINITY))
resource.setrlimit(resource.RLIMIT_CPU, (int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 6, 60))
with library.simulator_settings("compute=off"):
    try:
        Context.open(library, content).destroy()
    except RknnModelError as error:
        assert "MODEL_INVALID" in str(error), error
"""


@pytest.mark.timeout(600)
def test_both_readers_agree_on_models_with_custom_operators(data: Path, tmp_path: Path) -> None:
    """Their operands are converted by the host too, and their attributes are read from BSON by both."""
    bases = [data / "tiny_conv_int8.rknn", *sorted(data.glob("custom_*.rknn"))]  # the first one is also run
    report = campaign.run(bases, _VARIANTS, seed=1, sessions=0, folder=tmp_path)
    assert [(fault.order.seed, fault.outcome, fault.text) for fault in report.faults] == []
    assert min(report.counts.values()) > _VARIANTS / 20


@pytest.mark.parametrize("amplifier", amplifiers.AMPLIFIERS, ids=lambda amplifier: amplifier.__name__)
def test_the_native_reader_bounds_time_and_memory(root: Path, amplifier: Any) -> None:
    """Small files that describe something enormous: refused or open within 5 s and 500 MB in C++ as well."""
    script = _OPEN_NATIVELY.format(amplifier=amplifier.__name__)
    process = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


def test_both_readers_have_the_same_schema(root: Path) -> None:
    """A field that is added to one and not to the other would be checked by one reader only."""
    text = (root / "native/simulator/schema.cpp").read_text() + (
        root / "native/simulator/parameter_schema.cpp"
    ).read_text()
    tables = {name: [_native_row(row) for row in _ROW.findall(rows)] for name, rows in _TABLE.findall(text)}
    numbers = {int(number): name for number, name in _PARAMETERS.findall(text)}
    assert tables["root"] == [_row(row) for row in schema.ROOT.rows]
    assert tables["header"] == [_row(row) for row in schema.HEADER.rows]
    for table in (schema.TENSOR, schema.NODE, schema.PREPROCESSING, schema.GRAPH, schema.BUFFER, schema.MEMORY):
        assert tables[table.name.lower()] == [_row(row) for row in table.rows]
    assert set(numbers) == set(schema.PARAMETERS)
    for number, table in schema.PARAMETERS.items():
        assert tables[numbers[number]] == [_row(row) for row in table.rows]
    assert tables["gru_without_direction"] == [_row(row) for row in schema.parameter_types((2, 3, 1))[71].rows]


def _native_row(row: tuple[str, ...]) -> tuple[int, str, str, int]:
    slot, name, kind, limit, _ = row
    return int(slot), name, kind, int(limit or 0)


def _row(row: tuple[int, str, flatbuffer.FieldType]) -> tuple[int, str, str, int]:
    slot, name, kind = row
    limit = getattr(kind, "_limit", 0)
    return slot, name, _native_type(name, kind), limit


def _native_type(name: str, kind: flatbuffer.FieldType) -> str:
    if isinstance(kind, flatbuffer.Scalar):
        return {1: "u8", 4: "i32", 8: "u64"}[kind.size]
    if isinstance(kind, flatbuffer.Literal):
        return "described" if name.endswith("_types") else "literal"
    if isinstance(kind, flatbuffer.Vector):
        return "exactly" if kind._exactly else "numbers"
    if isinstance(kind, flatbuffer.Raw):
        return "bytes" if kind._item_size == 1 else "words"
    names = {"Text": "text", "Texts": "texts", "Located": "bytes", "Nested": "table", "NestedList": "tables"}
    return names.get(type(kind).__name__, "position")
