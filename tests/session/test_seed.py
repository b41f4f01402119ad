# SPDX-License-Identifier: Apache-2.0
"""The page that asks for this system: its snippets, unchanged."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path("seed") / "multi-core.txt"


def statements(page: str) -> list[str]:
    """Return the Python statements of a page that mixes them with prose, each with the lines that its brackets span."""
    found: list[str] = []
    lines = iter(page.splitlines())
    for line in lines:
        if not re.match(r"(from \w+ import |import |\w+ = )", line):
            continue
        while line.count("(") > line.count(")"):
            line += "\n" + next(lines)
        ast.parse(line)
        found.append(line)
    return found


def test_every_snippet_runs_unchanged(
    shared: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run one after the other, beside a model.rknn whose input is called 'input'."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    shutil.copy(data / "snippet.rknn", "model.rknn")
    namespace: dict[str, Any] = {"schedule": [0, 1, 2], "taskId": 4}
    found = statements((shared / PAGE).read_text())
    assert len(found) == 12
    for statement in found:
        exec(compile(statement, "seed", "exec"), namespace)
    assert namespace["coreId"] == 1
    assert [o.dtype for o in namespace["outputs"]] == [np.float32]
    namespace["sess"].close()


def test_setting_both_is_a_value_error_at_session_creation_too(data: Path) -> None:
    """The page promises it for the helper; a handwritten dictionary gets the same."""
    from ztu_somemodelruntime_ez_rknn_async import InferenceSession, make_provider_options

    with pytest.raises(ValueError, match="one way only"):
        make_provider_options(schedule=[0], tp_mode="all")
    with pytest.raises(ValueError, match="one way only"):
        InferenceSession(data / "snippet.rknn", provider_options={"schedule": [0], "tp_mode": "all"})
