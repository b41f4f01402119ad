"""Return codes become exceptions that say what they are."""

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


def test_every_code_has_its_name_its_exception_and_what_to_do(root: Path) -> None:
    """All that the interface has; a hint, unless the library's own words are there to say more."""
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


def test_a_code_that_nobody_knows_is_still_an_error() -> None:
    """Of a runtime that is newer than this package."""
    with pytest.raises(RknnError, match=r"rknn_run failed: RKNN_ERR_UNKNOWN \(-99\)"):
        raise status.error(-99, "rknn_run")
