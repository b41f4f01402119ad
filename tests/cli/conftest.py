# SPDX-License-Identifier: Apache-2.0
"""Fixtures that run the command line in this process."""

from __future__ import annotations

from typing import Callable

import pytest

from ez_rknn_async.cli import main

Ezrknn = Callable[..., str]


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print whole lines, as into a pipe, whatever pytest's own terminal is."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def ezrknn(capsys: pytest.CaptureFixture[str]) -> Ezrknn:
    """Run the command, which must succeed and be silent on stderr, and return what it prints."""

    def run(*arguments: object) -> str:
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert printed.err == ""
        assert status == 0
        return printed.out

    return run


@pytest.fixture
def ezrknn_refuses(capsys: pytest.CaptureFixture[str]) -> Ezrknn:
    """Run the command, which must fail with one line on stderr, and return that line."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        (line,) = printed.err.splitlines()
        return line

    return run
