# SPDX-License-Identifier: Apache-2.0
"""The how-to guides on conversion are true: their commands run, in order, in a folder with a user's files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from . import networks

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A detector with photos, a network for sounds, and one for text."""
    image = pytest.importorskip("PIL.Image")
    networks.save(networks.detector(), tmp_path / "yolo.onnx")
    networks.save(networks.keywords(), tmp_path / "keywords.onnx")
    networks.save(networks.sentiment(), tmp_path / "sentiment.onnx")
    random = np.random.default_rng(2)
    (tmp_path / "photos").mkdir()
    for number in range(24):
        pixels = random.integers(0, 256, (4, 4, 3), np.uint8).repeat(10, axis=0).repeat(12, axis=1)
        image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    np.savez(tmp_path / "clips.npz", features=random.normal(size=(24, 1, 40, 32)).astype(np.float32))
    return tmp_path


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ["convert", "when-quantisation-hurts"])
def test_the_commands_of_a_guide_succeed(page: str, files: Path, root: Path, all_conversions: str) -> None:
    """Each with exit status 0; a conversion that came out useless has another."""
    blocks = BLOCK.findall((root / "docs" / "how-to" / f"{page}.md").read_text())
    assert len(blocks) >= 3
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "EZ_RKNN_TOOLKIT_PYTHON": all_conversions, "PATH": f"{binaries}:{os.environ['PATH']}"}
    for block in blocks:
        process = subprocess.run(
            ["sh", "-e"], input=block, cwd=files, env=environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, f"{block}\n{process.stdout[-2000:]}\n{process.stderr[-500:]}"
