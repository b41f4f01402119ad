# SPDX-License-Identifier: Apache-2.0
"""Options are declared once; every copy of a declaration agrees with it."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import option_reference
import pytest

from ez_rknn_async import SessionOptions
from ez_rknn_async._options.checks import MEM_FLAGS
from ez_rknn_async._options.init_flags import init_flags
from ez_rknn_async._options.provider_options import ALIASES, OPTIONS, ProviderOptions
from ez_rknn_async._options.run_options import DISPATCH_BATCH
from ez_rknn_async._options.run_options import OPTIONS as RUN_OPTIONS
from ez_rknn_async._runtime.memory import FLAGS as MEMORY_FLAGS
from ez_rknn_async.cli.flags import FLAGS
from ez_rknn_async.cli.session_options import add_arguments

CHOICES = [(name, choice) for name, option in OPTIONS.items() for choice in option.check.choices]


def test_keywords_are_up_to_date() -> None:
    """``make options`` writes them."""
    assert option_reference.KEYWORDS.read_text() == option_reference.keywords()


@pytest.mark.parametrize("path", option_reference.PAGES, ids=lambda path: path.stem)
def test_reference_is_up_to_date(path: Path) -> None:
    """``make options`` writes it."""
    assert path.read_text() == option_reference.page(path)


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.default not in (None, ())])
def test_every_default_passes_its_own_check(name: str) -> None:
    """Giving the documented default changes nothing."""
    assert ProviderOptions.parse({name: OPTIONS[name].default}) == ProviderOptions()


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_every_choice_is_accepted_under_its_own_name(name: str, choice: str) -> None:
    """The reference lists all choices."""
    assert getattr(ProviderOptions.parse({name: choice}), name) == choice


@pytest.mark.parametrize(("alias", "name"), list(ALIASES.items()))
def test_an_alias_sets_its_option(alias: str, name: str) -> None:
    """Programs use the names in the documentation of the library that this one replaces."""
    given: Any = "plugin.so" if name == "custom_op_path" else True
    assert ProviderOptions.parse({alias: given}) == ProviderOptions.parse({name: given}) != ProviderOptions()


def test_paths_under_both_names_add_up() -> None:
    """Neither hides the other."""
    both = ProviderOptions.parse({"custom_op_path": "a.so", "custom_op_paths": ["b.so", "c.so"]})
    assert both.custom_op_path == ("a.so", "b.so", "c.so")


def test_every_kind_of_memory_has_its_flags() -> None:
    """The option's names are those of the runtime's table."""
    assert set(MEM_FLAGS.values()) == MEMORY_FLAGS.keys()


def test_every_priority_has_its_flags() -> None:
    """No two priorities share them."""
    flags = {init_flags(ProviderOptions(priority=priority)) for priority in OPTIONS["priority"].check.choices}
    assert len(flags) == len(OPTIONS["priority"].check.choices)


def test_every_flag_of_the_command_line_is_an_option() -> None:
    """It belongs to a session, or to one run."""
    assert FLAGS.keys() <= OPTIONS.keys() | RUN_OPTIONS.keys()
    assert DISPATCH_BATCH in RUN_OPTIONS
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    taken = vars(parser.parse_args([])).keys() - {"others"}
    assert taken == FLAGS.keys() & OPTIONS.keys()


def test_the_table_of_session_options_is_correct(root: Path) -> None:
    """It has those with an effect, with their defaults; below it are the names of the others."""
    page = (root / "docs" / "reference" / "around-the-session.md").read_text().split("\n## ")[1]
    table = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    defaults = {name: getattr(SessionOptions, name) for name in SessionOptions.EFFECTIVE}
    assert {name: default.strip('`"') for name, default in table.items()} == {n: str(d) for n, d in defaults.items()}
    without_effect = page.split("These are accepted")[1].split("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", without_effect)) == set(SessionOptions.names()) - table.keys()
