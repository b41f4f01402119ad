# SPDX-License-Identifier: Apache-2.0
"""Feeds and results.

Elsewhere: arrays of other libraries and casts (tests/test_arrays.py), feeds that do not fit (tests/test_inputs.py),
dynamic shapes, native and preallocated outputs (tests/session/test_data.py, tests/test_signature.py).
"""

from __future__ import annotations

import pickle
from collections import OrderedDict, UserDict
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from .conftest import OpenSession

Configure = Callable[[str], None]
IMAGE = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
MASK = np.random.default_rng(1).random((1, 8, 8, 4), np.float32)


@pytest.mark.parametrize(
    "feed",
    [
        {"image": IMAGE, "mask": MASK},
        {"mask": MASK, "image": IMAGE},
        OrderedDict(image=IMAGE, mask=MASK),
        UserDict(image=IMAGE, mask=MASK),
        [IMAGE, MASK],
        (IMAGE, MASK),
    ],
    ids=lambda feed: type(feed).__name__,
)
def test_a_feed_is_a_mapping_or_a_sequence_in_the_models_order(feed: Any, open_session: OpenSession) -> None:
    """That library took a UserDict for a sequence."""
    assert [o.shape for o in open_session("two_inputs_int8").run(None, feed)] == [(1, 5, 8, 4), (1, 8, 4, 4)]


@pytest.mark.parametrize(
    "feed",
    [{"image": IMAGE}, {"image": IMAGE, "mask": MASK, "more": MASK}, [IMAGE], IMAGE, [MASK, IMAGE], None, "image"],
    ids=["missing", "unknown", "short", "alone", "exchanged", "none", "text"],
)
def test_a_feed_that_does_not_fit_is_a_runtime_error(feed: Any, open_session: OpenSession) -> None:
    """Nothing reaches the NPU."""
    session = open_session("two_inputs_int8")
    with pytest.raises(RuntimeError):
        session.run(None, feed)
    assert session.stats.latency["npu"].count == 0


@pytest.mark.parametrize("model", ["tiny_conv_int8", "tiny_conv_fp16"])
@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool"]
)
def test_every_documented_type_is_accepted_by_every_model(dtype: str, model: str, open_session: OpenSession) -> None:
    """Values are converted to the model's own type."""
    assert open_session(model).run(None, [np.ones((1, 3, 16, 16), dtype)])[0].dtype == np.float32


FORMS: dict[str, Callable[[Any], Any]] = {
    "float64": lambda a: a.astype(np.float64),
    "big-endian": lambda a: a.astype(">f4"),
    "pickled": lambda a: pickle.loads(pickle.dumps(a)),
    "with metadata": lambda a: a.astype(np.dtype("f4", metadata={"unit": "1"})),
    "fortran order": np.asfortranarray,
    "negative strides": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "slice": lambda a: np.repeat(a, 2, axis=3)[..., ::2],
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(np.float32).reshape(a.shape),
    "nested lists": lambda a: a.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_an_array_does_not_change_the_results(
    form: str, open_session: OpenSession, simulated_npu: Configure
) -> None:
    """Any memory works; that library refused the first four forms."""
    simulated_npu("")
    session = open_session("tiny_conv_fp16")
    (expected,) = session.run(None, [IMAGE])
    assert np.array_equal(session.run(None, [FORMS[form](IMAGE)])[0], expected)


def test_a_memory_mapped_file_may_be_fed(open_session: OpenSession, tmp_path: Path) -> None:
    """Data sets on disk are read-only maps."""
    np.save(tmp_path / "image.npy", IMAGE)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    assert open_session().run(None, [mapped])[0].shape == (1, 8, 16, 16)


@pytest.mark.parametrize("value", [IMAGE.astype(np.complex64), np.array(["x"]), np.array([None])], ids=repr)
def test_arrays_without_real_numbers_are_a_runtime_error(value: Any, open_session: OpenSession) -> None:
    """The exception is a TypeError too."""
    for kind in (RuntimeError, TypeError):
        with pytest.raises(kind):
            open_session().run(None, [value])


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 3, 16, 15), (2, 3, 16, 16), (1, 3, 16, 16, 1)])
def test_the_error_for_a_wrong_shape_names_the_input_and_both_shapes(
    shape: tuple[int, ...], open_session: OpenSession
) -> None:
    """Shapes must match exactly; a dimension of another size is no wildcard."""
    with pytest.raises(RuntimeError) as caught:
        open_session().run(None, [np.zeros(shape, np.float32)])
    for part in ("'x'", str(list(shape)), "[1, 3, 16, 16]"):
        assert part in str(caught.value)
