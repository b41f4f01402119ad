"""The command line, run in this process."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Callable

import pytest

from ez_rknn_async.cli import main

Ezrknn = Callable[..., str]


@pytest.fixture
def ezrknn(capsys: pytest.CaptureFixture[str]) -> Ezrknn:
    """Runs the command, which must succeed and be silent on stderr; what it prints."""

    def run(*arguments: object) -> str:
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert printed.err == ""
        assert status == 0
        return printed.out

    return run


@pytest.fixture
def ezrknn_refuses(capsys: pytest.CaptureFixture[str]) -> Ezrknn:
    """Runs the command, which must fail with one line on stderr; that line."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        (line,) = printed.err.splitlines()
        return line

    return run


@pytest.fixture(scope="session")
def originals(root: Path) -> ModuleType:
    """The ONNX graphs that the models of tests/data were compiled from: ``tools/test_graphs.py``."""
    spec = importlib.util.spec_from_file_location("test_graphs", root / "tools" / "test_graphs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)
    spec.loader.exec_module(module)
    return module
