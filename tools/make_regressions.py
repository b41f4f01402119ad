# SPDX-License-Identifier: Apache-2.0
"""The writer of the model files that the native tests replay: ``python tools/make_regressions.py``.

Each is a committed model with a few changed numbers that once broke the simulated NPU's library. Findings of
``make fuzz-native`` are added here if they are as short to describe, else to the folder as files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from file_fuzzing.anatomy import Number, dissect

from ez_rknn_async.model import DType, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from ez_rknn_async.model import Graph

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
FOLDER = ROOT / "native" / "tests" / "fuzz" / "regressions"

UINT16, UINT64 = 4, 13


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    _write("input_is_uint16", "plain_recurrent_fp16", lambda graph: graph.inputs[0], UINT16)
    _write("input_of_bytes_is_uint64", "plain_recurrent_int8", lambda graph: graph.inputs[0], UINT64)
    _write("output_is_uint64", "plain_recurrent_fp16", lambda graph: graph.outputs[0], UINT64)


def _write(name: str, base: str, choose: Callable[[Graph], int], dtype: int) -> None:
    content = bytearray((DATA / f"{base}.rknn").read_bytes())
    with load(bytes(content)) as model:
        graph = model.graphs[0]
    content[_dtype(bytes(content), graph, choose(graph)).position] = dtype
    (FOLDER / f"{name}.rknn").write_bytes(content)


def _dtype(content: bytes, graph: Graph, index: int) -> Number:
    """Return the number that is the element type of a tensor of the first graph. The file leaves out zeros."""
    stored = [number for number in dissect(content).numbers if number.field == "Tensor.dtype"]
    return stored[[tensor.index for tensor in graph.tensors if tensor.dtype is not DType.OPAQUE].index(index)]


if __name__ == "__main__":
    main()
