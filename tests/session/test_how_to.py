"""The pages on batches and profiles: their snippets, as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest


def run_snippets(page: Path) -> dict[str, Any]:
    """Run the Python snippets of a page one after the other, and return what they leave behind."""
    snippets = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert snippets
    namespace: dict[str, Any] = {}
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), namespace)
    namespace["session"].close()
    return namespace


@pytest.fixture
def beside_a_model(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory has a model.rknn, and the NPU is simulated."""
    shutil.copy(data / "tiny_conv_int8.rknn", tmp_path / "model.rknn")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "compute=off")
    return tmp_path


def test_the_page_on_batches_is_right(root: Path, beside_a_model: Path) -> None:
    """Both ways of asking for it give all the samples."""
    left = run_snippets(root / "docs" / "how-to" / "batch.md")
    assert left["outputs"][0].shape[0] == 32


def test_the_page_on_profiles_is_right(root: Path, beside_a_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the file that it writes."""
    run_snippets(root / "docs" / "how-to" / "profile.md")
    assert re.fullmatch(r"profile_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.json\n", capsys.readouterr().out)
