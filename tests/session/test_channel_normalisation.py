# SPDX-License-Identifier: Apache-2.0
"""Mean and deviation of five and more channels if tensors are copied: the vendor's library applies the first one's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ez_rknn_async import InferenceSession, make_provider_options

Array = npt.NDArray[Any]

# Of input "features" of read_by_cpu_*, whose last two channels have the first one's so that every way agrees.
MEAN = (100.11, 110.37, 120.53, 130.71, 100.11, 100.11)
DEVIATION = (50.63, 55.17, 60.29, 65.41, 50.63, 50.63)
# Their values in these tests.
OTHER_MEAN, OTHER_DEVIATION = (*MEAN[:4], 90.5, 140.25), (*DEVIATION[:4], 71.5, 40.25)


def floats(values: tuple[float, ...]) -> bytes:
    return np.array(values, "<f4").tobytes()


def with_statistics(path: Path) -> bytes:
    """Return the model with other statistics."""
    content = path.read_bytes()
    for old, new in ((MEAN, OTHER_MEAN), (DEVIATION, OTHER_DEVIATION)):
        assert content.count(floats(old)) == 1
        content = content.replace(floats(old), floats(new))
    return content


def equivalent(features: Array) -> Array:
    """Return features that give the unchanged model the same numbers."""
    shape = (1, 6, 1, 1)
    mean, deviation, other_mean, other_deviation = (
        np.reshape(values, shape) for values in (MEAN, DEVIATION, OTHER_MEAN, OTHER_DEVIATION)
    )
    return ((features - other_mean) / other_deviation * deviation + mean).astype(np.float32)


def outputs(model: Any, image: Array, features: Array, **options: Any) -> list[Array]:
    options = make_provider_options(runtime_library="simulator", io_mode="copy", **options)
    with InferenceSession(model, provider_options=options) as session:
        return session.run(None, {"image": image, "features": features})


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.float16])
@pytest.mark.parametrize(("model", "steps"), [("read_by_cpu_int8", 1.01), ("read_by_cpu_fp16", 0.004)])
def test_every_channel_has_its_own_statistics(data: Path, model: str, steps: float, dtype: Any) -> None:
    """The runtime normalises the equivalent numbers rightly; the int8 model's agree within one step of the grid."""
    path, random = data / f"{model}.rknn", np.random.default_rng(7)
    image = random.integers(0, 256, (1, 3, 6, 10)).astype(np.float32)
    features = random.integers(0, 256, (1, 6, 6, 10)).astype(dtype)
    got = outputs(with_statistics(path), image, features)
    expected = outputs(path, image, equivalent(features.astype(np.float64)))
    with InferenceSession(path, provider_options=make_provider_options(runtime_library="simulator")) as session:
        allowed = [steps * (o.quantization.scale if o.quantization else 1.0) for o in session.get_outputs()]
    assert all(np.abs(mine - right).max() <= most for mine, right, most in zip(got, expected, allowed))
    # The runtime's result for the changed model: the first channel's statistics for the last two.
    mistaken = outputs(path, image, features)
    assert any(np.abs(wrong - right).max() > 2 * most for wrong, right, most in zip(mistaken, expected, allowed))


def test_nhwc_arrays_are_normalised_by_channel_too(data: Path) -> None:
    """They are the same array in the other order."""
    content, random = with_statistics(data / "read_by_cpu_int8.rknn"), np.random.default_rng(8)
    image, features = (random.random((1, c, 6, 10), np.float32) * 255 for c in (3, 6))
    turned = (np.ascontiguousarray(array.transpose(0, 2, 3, 1)) for array in (image, features))
    nchw, nhwc = outputs(content, image, features), outputs(content, *turned, layout="nhwc")
    for one, other in zip(nchw, nhwc):
        np.testing.assert_array_equal(one, other)


def test_quantised_arrays_are_not_normalised(data: Path) -> None:
    """int8 is past the normalisation, with any statistics."""
    path, random = data / "read_by_cpu_int8.rknn", np.random.default_rng(9)
    image, features = (random.integers(-128, 128, (1, c, 6, 10)).astype(np.int8) for c in (3, 6))
    for one, other in zip(outputs(path, image, features), outputs(with_statistics(path), image, features)):
        np.testing.assert_array_equal(one, other)


def test_the_callers_array_is_not_changed(data: Path) -> None:
    """A copy is normalised."""
    features = np.random.default_rng(10).random((1, 6, 6, 10), np.float32)
    before = features.copy()
    outputs(with_statistics(data / "read_by_cpu_fp16.rknn"), np.zeros((1, 3, 6, 10), np.float32), features)
    np.testing.assert_array_equal(features, before)


@pytest.mark.parametrize("channels", [5, 7, 8, 12, 16])
def test_copies_agree_with_direct_io(shared: Path, channels: int) -> None:
    """Models that can run both ways give the same float16 numbers but for the last place."""
    path, found = shared / "golden" / "models" / f"cm{channels}_fp.rknn", []
    for mode in ("direct", "copy"):
        options = make_provider_options(runtime_library="simulator", io_mode=mode)
        with InferenceSession(path, provider_options=options) as session:
            (target,) = session.get_inputs()
            array = np.random.default_rng(channels).random(target.shape, np.float32) * 50
            found.append(session.run(None, {target.name: array})[0])
    np.testing.assert_allclose(found[1], found[0], rtol=2e-3, atol=2e-3)
