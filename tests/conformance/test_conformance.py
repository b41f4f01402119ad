# SPDX-License-Identifier: Apache-2.0
"""Both libraries agree, or the table of differences says why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .differences import DIFFERENCES
from .isolation import observe
from .report import Outcome, matching, page
from .table import CASES, GROUPS

NEEDED = ("EZ_RKNN_VENDOR_LIBRARY", "EZ_RKNN_FAKE_DRIVER", "EZ_RKNN_OBSERVED_SIMULATOR")


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """The answers to everything; the page is written at the end if the environment names it."""
    if not all(os.environ.get(name) for name in NEEDED):
        pytest.skip("runs against the vendor's library, which `make test-vendor` fetches")
    answers: list[Outcome] = []
    for group in GROUPS:
        cases = [case for case in CASES if case.group == group]
        # A mistaken call may damage its process: those are made one by one.
        for some in [[case] for case in cases] if group == "codes" else [cases]:
            acts = [case.act for case in some]
            answers += map(Outcome, some, observe("vendor", acts), observe("simulated", acts))
    yield answers
    if os.environ.get("EZ_RKNN_CONFORMANCE_PAGE"):
        Path(os.environ["EZ_RKNN_CONFORMANCE_PAGE"]).write_text(page(answers), encoding="utf-8")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("group", GROUPS)
def test_both_libraries_agree(group: str, outcomes: list[Outcome]) -> None:
    """Only the listed cases of a group differ."""
    faults = {o.case.id: (o.vendor, o.simulated) for o in outcomes if o.case.group == group and o.is_fault}
    assert not faults


@pytest.mark.parametrize("pattern", DIFFERENCES)
def test_listed_differences_still_exist(pattern: str, outcomes: list[Outcome]) -> None:
    """The table of differences holds nothing that has been mended since."""
    assert matching(pattern, outcomes)


def test_most_answers_are_equal(outcomes: list[Outcome]) -> None:
    """Deliberate differences are exceptions."""
    assert sum(o.same for o in outcomes) >= 0.85 * len(outcomes)
