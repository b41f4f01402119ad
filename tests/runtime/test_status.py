# SPDX-License-Identifier: Apache-2.0
"""Return codes, and the exceptions that they become."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ez_rknn_async import RknnError
from ez_rknn_async._runtime import status


def codes(root: Path) -> dict[str, int]:
    """The error codes of the runtime's interface, by name."""
    header = (root / "native" / "include" / "rknn_abi.h").read_text()
    return {name: int(value) for name, value in re.findall(r"\b(RKNN_ERR_\w+)[ =]+\(?(-\d+)", header)}


def test_every_code_has_a_name_an_exception_and_a_hint(root: Path) -> None:
    """The hint may be missing if the library's own message says more."""
    named = codes(root)
    assert sorted(named.values()) == list(range(-13, 0))
    for name, code in named.items():
        error = status.error(code, "rknn_run")
        assert isinstance(error, RknnError)
        assert isinstance(error, RuntimeError)
        assert (error.code, error.symbol, error.call) == (code, name, "rknn_run")
        assert error.hint
        assert str(error) == f"rknn_run failed: {name} ({code}); {error.hint}"
        assert str(status.error(code, "rknn_run", "because")) == f"rknn_run failed: {name} ({code}): because"


def test_an_unknown_code_is_still_an_error() -> None:
    """A runtime newer than this package may return it."""
    with pytest.raises(RknnError, match=r"rknn_run failed: RKNN_ERR_UNKNOWN \(-99\)"):
        raise status.error(-99, "rknn_run")
