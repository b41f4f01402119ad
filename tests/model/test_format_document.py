"""The reference of the file format says what the code reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ez_rknn_async.model.format import schema

if TYPE_CHECKING:
    from pathlib import Path

    from ez_rknn_async.model.format.flatbuffer import TableType


@pytest.fixture(scope="module")
def document(root: Path) -> str:
    """The reference."""
    return (root / "docs" / "reference" / "rknn-format.md").read_text(encoding="utf-8")


TABLES = (schema.ROOT, schema.MEMORY, schema.BUFFER, schema.GRAPH, schema.PREPROCESSING, schema.TENSOR, schema.NODE)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_field_is_documented_under_its_slot(document: str, table: TableType) -> None:
    """Slots and names of a section's table are those of the code, no more and no fewer."""
    section = document.split(f"\n### {table.name}\n")[1].split("\n#")[0]
    documented = re.findall(r"^\| (\d+) \| `(\w+)` \|", section, re.MULTILINE)
    assert sorted((int(slot), name) for slot, name in documented) == sorted(
        (slot, name) for slot, name, _ in table.rows
    )


def test_every_parameter_table_is_documented(document: str) -> None:
    """The numbers of the operators, and the slots of their attributes."""
    section = document.split("\n### Parameters\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| (.+) \|$", section, re.MULTILINE)
    documented = {
        int(number): [(int(slot), name) for slot, name in re.findall(r"(\d+) `(\w+)`", slots)] for number, slots in rows
    }
    assert documented == {
        number: [(slot, name) for slot, name, _ in table.rows] for number, table in schema.PARAMETERS.items()
    }
