# SPDX-License-Identifier: Apache-2.0
"""The vendor's library by its own calls: the yardstick for sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ez_rknn_async._runtime.abi import ffi

TYPES = {name: index for index, name in enumerate(("float32", "float16", "int8", "uint8", "int16"))} | {"int64": 8}
DTYPES = {index: np.dtype(name) for name, index in TYPES.items()}
NHWC, NC1HWC2 = 1, 2


@dataclass(frozen=True)
class Attribute:
    """The answer of ``rknn_query`` about a tensor."""

    name: str
    shape: tuple[int, ...]
    format: int
    dtype: np.dtype
    size: int
    size_with_stride: int
    row: int  # pixels from one row to the next, of an image of up to four channels
    scale: float
    zero_point: int


class Raw:
    """One context."""

    def __init__(self, library: str, model: Path) -> None:
        self._lib = ffi.dlopen(library)
        handle, content = ffi.new("rknn_context *"), model.read_bytes()
        assert self._lib.rknn_init(handle, ffi.from_buffer(content), len(content), 0, ffi.NULL) == 0
        self._handle = handle[0]
        number = ffi.new("rknn_input_output_num *")
        assert self._lib.rknn_query(self._handle, 0, number, ffi.sizeof("rknn_input_output_num")) == 0
        self.inputs = [self.query("RKNN_QUERY_INPUT_ATTR", i) for i in range(number.n_input)]
        self.outputs = [self.query("RKNN_QUERY_OUTPUT_ATTR", i) for i in range(number.n_output)]

    def query(self, command: str, index: int) -> Attribute:
        """Return one tensor's attributes."""
        answer: Any = ffi.new("rknn_tensor_attr *", {"index": index})
        value = ffi.typeof("rknn_query_cmd").relements[command]
        assert self._lib.rknn_query(self._handle, value, answer, ffi.sizeof("rknn_tensor_attr")) == 0
        return Attribute(
            name=ffi.string(answer.name).decode(),
            shape=tuple(answer.dims[0 : answer.n_dims]),
            format=answer.fmt,
            dtype=DTYPES[answer.type],
            size=answer.size,
            size_with_stride=answer.size_with_stride,
            row=answer.w_stride,
            scale=answer.scale,
            zero_point=answer.zp,
        )

    def run(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Set the inputs (4-D ones in NHWC), run, and get the outputs in their native types."""
        inputs = [np.ascontiguousarray(i) for i in inputs]
        fields = [
            {
                "index": index,
                "buf": ffi.cast("void *", array.ctypes.data),
                "size": array.nbytes,
                "type": TYPES[array.dtype.name],
                "fmt": NHWC,
            }
            for index, array in enumerate(inputs)
        ]
        assert self._lib.rknn_inputs_set(self._handle, len(fields), ffi.new("rknn_input[]", fields)) == 0
        assert self._lib.rknn_run(self._handle, ffi.NULL) == 0
        results = [np.empty(o.shape, o.dtype) for o in self.outputs]
        slots = [
            {"is_prealloc": 1, "index": i, "buf": ffi.cast("void *", r.ctypes.data), "size": r.nbytes}
            for i, r in enumerate(results)
        ]
        assert self._lib.rknn_outputs_get(self._handle, len(slots), ffi.new("rknn_output[]", slots), ffi.NULL) == 0
        return results

    def close(self) -> None:
        """Destroy the context."""
        assert self._lib.rknn_destroy(self._handle) == 0
