# SPDX-License-Identifier: Apache-2.0
"""The page on compatibility names what there is, and nothing else."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from ez_rknn_async.compat.rknnlite import RKNN, RKNNLite, RKNNRuntime
from ez_rknn_async.compat.rknnlite.install import STAND_IN

ROW = re.compile(r"^\| (`.*?`) \| (\w+) \|", re.MULTILINE)


def section(root: Path, title: str) -> str:
    """What stands under a heading of the third level, or before the first."""
    page = (root / "docs/reference/compatibility.md").read_text().partition("\n## RKNNLite\n")[2].partition("\n## ")[0]
    parts = dict(re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", page, re.MULTILINE | re.DOTALL))
    return parts[title] if title else page.partition("\n### ")[0]


def named(text: str) -> dict[str, str]:
    """What the first column of the table names, and the word in the second."""
    return {name: word for names, word in ROW.findall(text) for name in re.findall(r"`([^`]+)`", names)}


def public(kind: type, *, without: type = object) -> set[str]:
    """Attributes, methods with each of their arguments, and what the constructor takes."""
    names = {
        name
        for name in dir(kind())
        if not name.startswith("_") and getattr(without, name, None) is not getattr(kind, name, None)
    }
    names |= {name for name in vars(kind()) if not name.startswith("_") and without is object}
    for name in sorted(names):
        method = getattr(kind, name, None)
        if inspect.isfunction(method):
            parameters = list(inspect.signature(method).parameters.values())[1:]
            names |= {f"{name}({p.name})" for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD}
    if without is object:
        names |= {p for p in inspect.signature(kind).parameters if p != "log"}
    return names


def test_every_name_of_rknnlite_is_told(root: Path) -> None:
    """With its arguments."""
    assert set(named(section(root, "RKNNLite"))) == public(RKNNLite)


def test_every_name_of_the_runtime_is_told(root: Path) -> None:
    """With its arguments."""
    assert set(named(section(root, "RKNNRuntime"))) == public(RKNNRuntime)


def test_every_name_that_the_compilers_class_adds_is_told(root: Path) -> None:
    """With other arguments of a method, all of them."""
    assert set(named(section(root, "RKNN"))) == public(RKNN, without=RKNNLite) - {"init_runtime"}


def test_every_module_is_told(root: Path) -> None:
    """Those that can be imported, and the distribution."""
    modules = {
        ".".join(path.relative_to(STAND_IN).with_suffix("").parts).removesuffix(".__init__")
        for path in STAND_IN.rglob("*.py")
    }
    assert set(named(section(root, ""))) == modules - {"rknnlite", "rknn"} | {"rknn-toolkit-lite2"}


@pytest.mark.parametrize("title", ["", "RKNNLite", "RKNNRuntime", "RKNN"])
def test_three_words_say_what_becomes_of_a_name(root: Path, title: str) -> None:
    """And no others."""
    assert set(named(section(root, title)).values()) <= {"supported", "ignored", "refused"}
