# SPDX-License-Identifier: Apache-2.0
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
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

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

# Its outputs in bound memory are the tensors' own numbers; its ordinary run gives float32.
ZERO_COPY_PROGRAM = """
import sys
import numpy as np
from ztu_somemodelruntime_ez_rknn_async import InferenceSession, OrtValue, make_provider_options
model, arrays = sys.argv[1:]
session = InferenceSession(model, provider_options=make_provider_options(layout="nhwc", zero_copy_layout="nhwc"))
feed = dict(np.load(arrays))
binding = session.io_binding()
values = {}
for name, array in feed.items():
    place = {"name": name, "session": session, "io_kind": "input"}
    values[name] = OrtValue.ortvalue_from_numpy(np.zeros_like(array), "rknpu2", 0, **place)
    binding.bind_ortvalue_input(name, values[name])
for output in session.get_outputs():
    binding.bind_output(output.name, "cpu")
session.run_with_iobinding(binding)
for name, array in feed.items():
    values[name].update_inplace(array)
session.run_with_iobinding(binding)
bound = [value.numpy() for value in binding.get_outputs()]
np.savez(arrays, *bound, *session.run(None, feed))
"""


def run_peer(program: str, path: Path, arrays: Path) -> list[np.ndarray]:
    """Return what a program in the peer's environment saves for a model and these arrays."""
    environment = {
        # Without this process's search path, where our package has the peer's import name.
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "ZTU_RKNPU2_RUNTIME_LIBRARY": str(SIMULATOR_LIBRARY),
        "EZ_RKNN_PYTHON": sys.executable,
    }
    assert PEER_PYTHON is not None
    subprocess.run([PEER_PYTHON, "-c", program, str(path), str(arrays)], env=environment, check=True, timeout=100)
    with np.load(arrays) as saved:
        return [saved[f"arr_{index}"] for index in range(len(saved.files))]


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
    theirs = run_peer(PROGRAM, path, arrays)
    for index, output in enumerate(ours):
        assert np.array_equal(theirs[index], output)


@pytest.mark.skipif(PEER_PYTHON is None, reason="EZ_RKNN_PEER_PYTHON is not set; `make test-peer` sets it")
@pytest.mark.parametrize(
    "model", ["tiny_conv_int8", "tiny_conv_fp16", "block_fp16", "two_inputs_int8", "conv_c4_int8", "vector_fp16"]
)
def test_the_peers_zero_copy_computes_what_its_copies_do(model: str, data: Path, tmp_path: Path) -> None:
    """Memory that a foreign client creates, binds before each run and synchronises holds the right numbers."""
    path = data / f"{model}.rknn"
    options = make_provider_options(layout="nhwc", runtime_library="simulator")
    with InferenceSession(path, provider_options=options) as session:
        shapes = {i.name: i.shape for i in session.get_inputs()}
    generator = np.random.default_rng(8)
    feed = {name: generator.integers(-128, 128, shape).astype(np.int8) for name, shape in shapes.items()}
    if model.endswith("fp16"):
        feed = {name: (array / 128).astype(np.float16) for name, array in feed.items()}
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, **feed)  # type: ignore[arg-type]
    saved = run_peer(ZERO_COPY_PROGRAM, path, arrays)
    count = len(saved) // 2
    for bound, copied in zip(saved[:count], saved[count:]):
        assert np.ptp(copied) > 0
        if bound.dtype == np.int8:  # real = (quantised - zero point) * scale, for any scale and zero point
            steps = bound.astype(np.float64) - int(bound.min())
            scale = float(np.ptp(copied)) / steps.max()
            np.testing.assert_allclose(copied, steps * scale + copied.min(), atol=scale / 100)
        else:
            assert np.array_equal(bound.astype(np.float32), copied)
