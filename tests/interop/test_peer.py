"""The library that this one replaces, unmodified, on our simulated NPU.

It is installed from PyPI into an environment of its own (``make test-peer``), which the environment variable
``EZ_RKNN_PEER_PYTHON`` names; it is no dependency of anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async.runtime.locate import SIMULATOR_LIBRARY

PEER_PYTHON = os.environ.get("EZ_RKNN_PEER_PYTHON")

PROGRAM = """
import sys
import numpy as np
from ztu_somemodelruntime_ez_rknn_async import InferenceSession, make_provider_options
model, arrays = sys.argv[1:]
session = InferenceSession(model, provider_options=make_provider_options(layout="nhwc", schedule=[0, 1, 2]))
feed = dict(np.load(arrays))
waiting = []
session.run_async(None, feed, lambda results, user_data, error: waiting.append((results, error)))
outputs = session.run(None, feed)
while not waiting:
    session.run(None, feed)
(results, error), = waiting
assert error == "", error
assert all(np.array_equal(a, b) for a, b in zip(outputs, results))
np.savez(arrays, *outputs)
"""


@pytest.mark.skipif(PEER_PYTHON is None, reason="EZ_RKNN_PEER_PYTHON is not set; `make test-peer` sets it")
@pytest.mark.parametrize("model", ["tiny_conv_int8", "block_int8", "block_fp16", "two_inputs_int8", "vector_fp16"])
def test_the_peer_gets_the_same_outputs_as_our_session(model: str, data: Path, tmp_path: Path) -> None:
    """The simulated NPU is a drop-in librknnrt.so: a foreign client computes the same bytes on it."""
    path = data / f"{model}.rknn"
    options = make_provider_options(layout="nhwc", runtime_library="simulator")
    with InferenceSession(path, provider_options=options) as session:
        generator = np.random.default_rng(7)
        feed = {i.name: generator.random(i.shape, np.float32) for i in session.get_inputs()}
        ours = session.run(None, feed)
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, **feed)  # type: ignore[arg-type]
    environment = {
        # Not the search path of this process, on which our package has the peer's import name.
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "ZTU_RKNPU2_RUNTIME_LIBRARY": str(SIMULATOR_LIBRARY),
        "EZ_RKNN_PYTHON": sys.executable,
    }
    assert PEER_PYTHON is not None
    subprocess.run([PEER_PYTHON, "-c", PROGRAM, str(path), str(arrays)], env=environment, check=True, timeout=100)
    theirs = np.load(arrays)
    for index, output in enumerate(ours):
        assert np.array_equal(theirs[f"arr_{index}"], output)
