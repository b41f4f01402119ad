# SPDX-License-Identifier: Apache-2.0
"""The bytes that direct I/O writes into NPU memory, against those recorded from the vendor's library.

The recordings (``../shared/golden/inputs_set_*.json``) hold the bytes of each input's buffer when the NPU is given the
task. Two defects of the vendor's library are not repeated; each has a test of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import ez_rknn_async.model as rknn_file
from ez_rknn_async import InferenceSession, RknnDeviceError, make_provider_options
from ez_rknn_async._tensors.npu_layout import NativeTensor
from ez_rknn_async._transport.direct import Direct

_DTYPES = {"u8": np.uint8, "i8": np.int8, "f16": np.float16, "f32": np.float32, "i64": np.int64, "i32": np.int32}
_AWKWARD = [-1000, -300, -129, -128.5, -128, -1.5, -0.5, -0.25, 255.5, 256, 300, 1000, 1e6, -1e6, 0.49999997, 2.5, 3.5]


class Case(NamedTuple):
    """One recording: a model, its inputs, and the bytes in memory."""

    name: str
    model: Path
    sources: list[Any]
    buffers: list[Any]


def source(dtype: Any, shape: list[int]) -> Any:
    """Return the vectors of the recordings."""
    count = int(np.prod(shape))
    if np.issubdtype(dtype, np.integer):
        return (np.arange(count) % 256 - (128 if dtype == np.int8 else 0)).astype(dtype).reshape(shape)
    values = np.resize(np.concatenate([np.arange(0, 256, 0.5), np.array(_AWKWARD)]), count)
    with np.errstate(over="ignore"):
        return values.astype(dtype).reshape(shape)


def cases(shared: Path) -> Iterator[Case]:
    """Return the cases that the vendor's library converted; it refused the others, or left them unchanged."""
    for path in sorted((shared / "golden").glob("inputs_set_*.json")):
        model = path.stem.removeprefix("inputs_set_").removeprefix("passthrough_and_types_")
        file = shared / "golden" / "models" / f"{model}.rknn"
        if not file.exists():
            continue  # recorded with a third party's model, which is not kept
        for recording in json.loads(path.read_text()):
            failed = recording["inputs_set"] != 0 or any(message.startswith("E:") for message in recording["msgs"])
            if failed or recording["pass_through"] or recording["fmt"] != "NHWC" or recording["type"] not in _DTYPES:
                continue
            if model == "b4_i8" and recording["type"] not in ("u8", "i8"):
                continue  # it converts a batch while it runs: the buffer is recorded too early
            sources = [source(_DTYPES[recording["type"]], attribute["dims"]) for attribute in recording["ins"]]
            buffers = [np.frombuffer(base64.b64decode(text), np.uint8) for text in recording["inbuf"]]
            yield Case(f"{model} {recording['type']}", file, sources, buffers)


class Written(NamedTuple):
    """The bytes that a session wrote into the memory of one input."""

    tensor: NativeTensor
    memory: Any
    normalisation: rknn_file.Preprocessing | None

    @property
    def size(self) -> int:
        """The number of meaningful bytes; the runtimes ask for more, which no one reads."""
        layout, dims = self.tensor.layout, self.tensor.dims
        if layout.format == "NC1HWC2":
            return dims.n * layout.c1 * layout.surface * layout.c2 * np.dtype(layout.type).itemsize
        return dims.n * dims.c * dims.h * (layout.row or dims.w) * np.dtype(layout.type).itemsize

    @property
    def has_channels_beyond_four(self) -> bool:
        """True if the vendor's library takes the wrong mean and deviation."""
        return self.tensor.layout.format == "NC1HWC2"

    @property
    def is_plain_int8(self) -> bool:
        """True if the vendor's library wraps around."""
        return not self.tensor.is_image and self.tensor.attribute.type == "int8"


def write(case: Case) -> list[Written]:
    """Pass a case to the NPU in direct mode, and read its memory. The NPU itself, which also writes there, fails."""
    options = _options("direct", simulator="compute=off,fault=rknn_run:fail=-1")
    with InferenceSession(case.model, provider_options=options) as session:
        with pytest.raises(RknnDeviceError, match="rknn_run"):
            session.run(None, case.sources)
        return _written(session, case.model)


def _run(path: Path, feed: list[Any]) -> tuple[list[Written], list[Any]]:
    with InferenceSession(path, provider_options=_options("direct")) as session:
        outputs = session.run(None, feed)
        return _written(session, path), outputs


def _written(session: InferenceSession, path: Path) -> list[Written]:
    direct = session._deployment.executor.transport
    assert isinstance(direct, Direct)
    with rknn_file.load(path) as model:
        return [
            Written(tensor, np.frombuffer(bytes(memory.view()), np.uint8), normalisation)
            for tensor, (memory,), normalisation in zip(
                direct.sets[0].inputs, direct.memory[0].inputs, model.graphs[0].preprocessing
            )
        ]


def _options(io_mode: str, simulator: str | None = None) -> dict[str, Any]:
    return make_provider_options(
        runtime_library="simulator", io_mode=io_mode, layout="nhwc", schedule=0, simulator=simulator
    )


def test_memory_holds_the_recorded_bytes(shared: Path) -> None:
    """Every case but those of the two defects is compared to the last bit, gaps included."""
    wrong, buffers = [], 0
    for case in cases(shared):
        for index, (written, recorded) in enumerate(zip(write(case), case.buffers)):
            if written.is_plain_int8 and case.name.split()[1] != "i8":
                continue
            assert written.normalisation is None or not written.has_channels_beyond_four, "defect 1"
            buffers += 1
            if not np.array_equal(written.memory[: written.size], recorded[: written.size]):
                at = int(np.flatnonzero(written.memory[: written.size] != recorded[: written.size])[0])
                wrong.append(f"{case.name} input {index}, byte {at} of {written.size}")
    assert wrong == []
    assert buffers > 60


@pytest.mark.parametrize("name", ["cm5_fp", "cm7_fp", "cm8_fp", "cm12_fp", "cm16_fp"])
def test_every_channel_is_normalised_by_its_own_mean_and_deviation(shared: Path, name: str) -> None:
    """Defect 1: beyond the fourth channel the vendor's library uses the first one's; copying avoids it too."""
    path = shared / "golden" / "models" / f"{name}.rknn"
    with InferenceSession(path, provider_options=_options("copy")) as session:
        (shape,) = (argument.shape for argument in session.get_inputs())
        array = source(np.float32, shape)
        copied = session.run(None, [array])
    ((written,), direct) = _run(path, [array])
    ours = _channels(written.tensor, written.memory[: written.size])
    assert np.array_equal(ours, _normalised(written, array), equal_nan=True)
    np.testing.assert_allclose(copied[0], direct[0], rtol=2e-3, atol=2e-3)


def test_tensors_that_are_not_4d_saturate_instead_of_wrapping(shared: Path) -> None:
    """Defect 2: the vendor's library turns 300 into 44. Where it does not wrap, the bytes agree."""
    seen = wrapped = 0
    for case in cases(shared):
        for given, written, recorded in zip(case.sources, write(case), case.buffers):
            if not written.is_plain_int8 or given.dtype == np.int8:
                continue
            seen += 1
            attribute = written.tensor.attribute
            scaled = given.astype(np.float32).ravel() / np.float32(attribute.scale) + np.float32(attribute.zero_point)
            exact = np.rint(scaled)
            inside = (exact >= -128) & (exact <= 127)
            ours, theirs = (memory[: given.size].view(np.int8) for memory in (written.memory, recorded))
            assert np.array_equal(ours[inside], theirs[inside]), case.name
            assert np.array_equal(ours, np.clip(exact, -128, 127).astype(np.int8)), case.name
            wrapped += int((ours != theirs).sum())
    assert seen > 0
    assert wrapped > 0


def _channels(tensor: NativeTensor, memory: Any) -> Any:
    """Return the tensor in NCHW, out of blocks of channels."""
    (n, c, h, w), layout = tensor.dims, tensor.layout
    blocks = memory.view(layout.type).reshape(n, layout.c1, layout.surface, layout.c2)[:, :, : h * w]
    return np.ascontiguousarray(blocks.transpose(0, 1, 3, 2).reshape(n, -1, h, w)[:, :c])


def _normalised(written: Written, nhwc: Any) -> Any:
    assert written.normalisation is not None
    values = nhwc.transpose(0, 3, 1, 2)
    mean, std = (
        np.reshape(np.array(numbers, np.float32), (1, -1, 1, 1))
        for numbers in (written.normalisation.mean, written.normalisation.std)
    )
    with np.errstate(over="ignore"):
        return ((values - mean) / std).astype(np.float16)
