# SPDX-License-Identifier: Apache-2.0
"""The tables of a model file in their three places: ``schema.py``, ``schema.cpp`` and the reference of the format.

A number changed in only one of them would make two readers see two files. C++ has them twice: the schema says what is
checked, and ``fields.h`` what is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ez_rknn_async.model.format import flatbuffer, schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Slots = dict[str, dict[str, int]]  # table: field: slot

_OLD_GRU = "71, before 2.3.2"

# The names in fields.h of tables and fields that have another name here.
_OTHER_NAMES = {
    "normalisation": "Preprocessing",
    "Graph.normalisations": "preprocessing",
    "Node.type": "op",
    "Node.attributes": "bson",
    "Node.task_counts": "tasks",
    "Node.lut_counts": "lut_tasks",
    "Node.work_units": "work",
    "Preprocessing.deviation": "std",
    "Root.schema": "schema_version",
    "Root.batch": "batch_size",
    "Tensor.type": "dtype",
    "Tensor.native_dims": "native_shape",
    "Tensor.dims": "shape",
}


def tables_of_python() -> dict[str, flatbuffer.TableType]:
    """Return the tables reachable from the root; parameters under their number."""
    tables: dict[str, flatbuffer.TableType] = {}
    waiting = [schema.ROOT]
    while waiting:
        table = waiting.pop()
        tables[table.name] = table
        inner = (kind._table for _, _, kind in table.rows if hasattr(kind, "_table"))
        waiting += [each for each in inner if each.name not in tables and each.rows]
    old_gru = schema.parameter_types((2, 3, 1))[71]
    return {**tables, **{str(number): table for number, table in schema.PARAMETERS.items()}, _OLD_GRU: old_gru}


def python_slots() -> Slots:
    """Return the slots of ``schema.py``."""
    return {label: {name: slot for slot, name, _ in table.rows} for label, table in tables_of_python().items()}


def native_source(root: Path, name: str) -> str:
    """Return the text of the file of that name, anywhere in ``native``."""
    (path,) = (root / "native").rglob(name)
    return path.read_text(encoding="utf-8")


def native_rows(root: Path) -> dict[str, list[tuple[int, str, str, int]]]:
    """Return the rows of the C++ schema: slot, name, type, limit."""
    text = native_source(root, "schema.cpp") + native_source(root, "parameter_schema.cpp")
    rows = {
        table: [(int(slot), name, kind, int(limit or 0)) for slot, name, kind, limit in _NATIVE_ROW.findall(body)]
        for table, body in re.findall(r"FieldSchema (\w+)_fields\[\] = \{\n(.*?)\n\};", text, re.DOTALL)
    }
    names = dict(re.findall(r'constexpr TableSchema (\w+)\("(\w+)", \1_fields\);', text))
    numbers = dict(reversed(pair) for pair in re.findall(r"\{(\d+), &(\w+)\},", text))
    labels = {"root": "Root", "header": "header", **names, **numbers, "gru_without_direction": _OLD_GRU}
    return {labels[table]: fields for table, fields in rows.items()}


_NATIVE_ROW = re.compile(r'\{(\d+), "(\w+)", FieldType::(\w+)(?:, (\d+))?(?:, &\w+)?\}')


def documented_slots(root: Path) -> Slots:
    """Return the slots of the reference."""
    text = (root / "docs" / "reference" / "rknn-format.md").read_text(encoding="utf-8")
    text = text.split("\n## FlatBuffer\n")[1].split("\n## ")[0]
    sections = dict(section.split("\n", 1) for section in text.split("\n### ")[1:])
    parameters = re.findall(r"^\| (\d+[^|]*) \| [^|]+ \| (.+) \|$", sections.pop("Parameters"), re.MULTILINE)
    return {
        **{table: _documented(r"^\| (\d+) \| `(\w+)` \|", section) for table, section in sections.items()},
        **{label: _documented(r"(\d+) `(\w+)`", slots) for label, slots in parameters},
    }


def _documented(pattern: str, text: str) -> dict[str, int]:
    return {name: int(slot) for slot, name in re.findall(pattern, text, re.MULTILINE)}


def test_the_reference_has_the_slots_of_the_reader(root: Path) -> None:
    """Neither has a slot that the other lacks, parameters included."""
    assert documented_slots(root) == python_slots()


def test_the_native_schema_equals_that_of_the_reader(root: Path) -> None:
    """A field, type or limit in one reader alone would be checked by one alone."""
    native = native_rows(root)
    assert native.pop("header") == [_row(row) for row in schema.HEADER.rows]
    assert native == {label: [_row(row) for row in table.rows] for label, table in tables_of_python().items()}


def test_the_native_reader_only_reads_checked_slots(root: Path) -> None:
    """Every field of fields.h must be one of the schema."""
    read = list(_read_natively(root))
    known = python_slots()
    assert len(read) > 30
    assert [(table, field, slot) for table, field, slot in read if known[table].get(field) != slot] == []


def _read_natively(root: Path) -> Iterator[tuple[str, str, int]]:
    text = native_source(root, "fields.h")
    for namespace, body in re.findall(r"namespace (\w+) \{\nconstexpr uint32_t (.*?);\n\}", text, re.DOTALL):
        table = _OTHER_NAMES.get(namespace, namespace.capitalize())
        for field, slot in re.findall(r"(\w+) = (\d+)", body):
            yield table, _OTHER_NAMES.get(f"{table}.{field}", field), int(slot)


@pytest.mark.parametrize("table", [schema.HEADER, *tables_of_python().values()], ids=lambda table: table.name)
def test_no_slot_and_no_name_is_used_twice(table: flatbuffer.TableType) -> None:
    """The dictionaries above would hide it."""
    slots, names, _ = zip(*table.rows)
    assert len(set(slots)) == len(set(names)) == len(table.rows)


def _row(row: tuple[int, str, flatbuffer.FieldType]) -> tuple[int, str, str, int]:
    slot, name, kind = row
    return slot, name, _native_type(name, kind), getattr(kind, "_limit", 0)


def _native_type(name: str, kind: flatbuffer.FieldType) -> str:
    if isinstance(kind, flatbuffer.Scalar):
        return {1: "u8", 4: "i32", 8: "u64"}[kind.size]
    if isinstance(kind, flatbuffer.Literal):
        return "described" if name.endswith("_types") else "literal"
    if isinstance(kind, flatbuffer.Vector):
        return "exactly" if kind._exactly else "numbers"
    if isinstance(kind, flatbuffer.Raw):
        return "bytes" if kind._item_size == 1 else "words"
    names = {"Text": "text", "Texts": "texts", "Placed": "bytes", "Nested": "table", "NestedList": "tables"}
    return names.get(type(kind).__name__, "position")
