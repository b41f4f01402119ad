# SPDX-License-Identifier: Apache-2.0
"""The table of ONNX Runtime's names is whole and true."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest

import ez_rknn_async
from ez_rknn_async.compat.onnxruntime.substitute_capi import onnxruntime_pybind11_state

from ..conftest import ROOT

PAGE = (ROOT / "docs/reference/compatibility.md").read_text()
(SECTION,) = re.findall(r"^## ONNX Runtime\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
TABLES = dict(re.findall(r"^### ([^\n]*)\n(.*?)(?=^### |\Z)", SECTION, re.MULTILINE | re.DOTALL))
CLASSES = [name for name in TABLES if name != "The module"]
KINDS = {"supported", "ignored", "refused", "passed through", "stand-in"}


def rows(table: str) -> dict[str, str]:
    """Each name of a table, and what becomes of it."""
    found = re.findall(r"^\| (`.*?) \| ([\w -]+) \|", TABLES[table], re.MULTILINE)
    assert {kind for _, kind in found} <= KINDS
    return {name: kind for names, kind in found for name in re.findall(r"`(\w+)`", names)}


def public(of: Any) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_")}


def ours(name: str) -> set[str]:
    kind = getattr(ez_rknn_async, name)
    return public(kind) | set(getattr(kind, "__annotations__", {}))


def test_names_everything_that_onnxruntime_has() -> None:
    """The one that is installed: a new version with new names needs a decision."""
    genuine = pytest.importorskip("onnxruntime")
    modules = {name for name in public(genuine) if name in ("backend", "quantization", "tools", "transformers")}
    assert public(genuine) - modules - set(rows("The module")) == set()


@pytest.mark.parametrize("name", CLASSES)
def test_names_everything_of_a_class(name: str) -> None:
    """Methods and attributes."""
    genuine = pytest.importorskip("onnxruntime")
    assert public(getattr(genuine, name)) - set(rows(name)) == set()


@pytest.mark.parametrize("name", CLASSES)
def test_has_what_it_says(name: str) -> None:
    """Supported and ignored names exist; refused ones do not, but for those that explain."""
    explained = {"register_custom_ops_library", "as_sparse_tensor"}
    accepted = {each for each, kind in rows(name).items() if kind in ("supported", "ignored")}
    assert accepted - ours(name) == set()
    assert (set(rows(name)) - accepted - explained) & ours(name) == set()


def test_the_stand_in_has_what_the_page_says_without_onnxruntime() -> None:
    """Supported, ignored and stand-in names."""
    table = rows("The module")
    mine = public(onnxruntime_pybind11_state) | set(ez_rknn_async.__all__) | {"capi"}
    assert {each for each, kind in table.items() if kind != "passed through"} - mine == set()
    assert {each for each, kind in table.items() if kind == "passed through"} & mine == set()
    assert importlib.util.find_spec("ez_rknn_async.compat.onnxruntime.substitute_capi") is not None


def test_exceptions_are_as_the_page_says() -> None:
    """Each pair of the table."""
    exceptions = importlib.import_module("ez_rknn_async.compat.onnxruntime.exceptions")
    pairs = re.findall(r"^\| ((?:`Rknn\w+`(?:, )?)+) \| `(\w+)`", SECTION, re.MULTILINE)
    assert len(pairs) == 4
    for names, theirs in pairs:
        for name in re.findall(r"\w+", names):
            assert issubclass(getattr(exceptions, name), getattr(exceptions, theirs))
            assert issubclass(getattr(exceptions, name), getattr(ez_rknn_async, name))
