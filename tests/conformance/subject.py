# SPDX-License-Identifier: Apache-2.0
"""A library under test: the same calls for the vendor's and for the simulated one.

Inspection differs: the vendor's library writes into memory of the faked driver, the simulated one is built with
functions that expose its buffers (``native/tests/simulator/observe.cpp``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import cffi
import numpy as np

from ez_rknn_async._runtime.abi import ffi

from ..vendor.npu import DESTINATIONS, FakeNpu, Submission

DATA = Path(__file__).parent.parent / "data"
TYPES = {"float32": 0, "float16": 1, "int8": 2, "uint8": 3, "int32": 6, "int64": 8, "bool": 9}
DTYPES = {number: np.dtype(name) for name, number in TYPES.items()}
FORMATS = {"NCHW": 0, "NHWC": 1, "NC1HWC2": 2, "UNDEFINED": 3}
COMMANDS: dict[str, int] = ffi.typeof("rknn_query_cmd").relements


class Subject:
    """A loaded library. It checks nothing: its answers are what is compared."""

    def __init__(self, path: str) -> None:
        self.lib: Any = ffi.dlopen(path)

    def init(self, model: bytes, flags: int = 0, size: int | None = None) -> tuple[int, int]:
        """Return the code and the handle."""
        handle = ffi.new("rknn_context *")
        code = self.lib.rknn_init(handle, ffi.from_buffer(model), len(model) if size is None else size, flags, ffi.NULL)
        return code, handle[0]

    def open(self, model: str, flags: int = 0) -> int:
        """Open a context of a committed model."""
        code, handle = self.init((DATA / f"{model}.rknn").read_bytes(), flags)
        assert code == 0, f"{model}: rknn_init returned {code}"
        return handle

    def counts(self, context: int) -> tuple[int, int]:
        """Return the numbers of inputs and outputs."""
        number = ffi.new("rknn_input_output_num *")
        assert self.lib.rknn_query(context, 0, number, ffi.sizeof("rknn_input_output_num")) == 0
        return number.n_input, number.n_output

    def attribute(self, context: int, command: str, index: int = 0) -> tuple[int, Any]:
        """Return the code and the ``rknn_tensor_attr``."""
        answer = ffi.new("rknn_tensor_attr *", {"index": index})
        code = self.lib.rknn_query(context, COMMANDS[command], answer, ffi.sizeof("rknn_tensor_attr"))
        return code, answer

    def inputs_set(self, context: int, arrays: list[np.ndarray], order: str = "NHWC", **fields: Any) -> int:
        """Set inputs; ``fields`` of ``rknn_input`` apply to each of them."""
        entries = [
            {
                "index": index,
                "buf": ffi.cast("void *", array.ctypes.data),
                "size": array.nbytes,
                "type": TYPES[array.dtype.name],
                "fmt": FORMATS[order],
                **fields,
            }
            for index, array in enumerate(arrays)
        ]
        return int(self.lib.rknn_inputs_set(context, len(entries), ffi.new("rknn_input[]", entries)))

    def run(self, context: int) -> int:
        """Run one inference."""
        return int(self.lib.rknn_run(context, ffi.NULL))

    def outputs_get(self, context: int, want_float: int, sizes: list[int]) -> tuple[int, list[bytes]]:
        """Get outputs into buffers of these sizes, filled with 0xEE before."""
        buffers = [np.full(max(size, 1), 0xEE, np.uint8) for size in sizes]
        entries = [
            {
                "want_float": want_float,
                "is_prealloc": 1,
                "index": i,
                "buf": ffi.cast("void *", b.ctypes.data),
                "size": sizes[i],
            }
            for i, b in enumerate(buffers)
        ]
        code = self.lib.rknn_outputs_get(context, len(entries), ffi.new("rknn_output[]", entries), ffi.NULL)
        return int(code), [b.tobytes() for b in buffers]

    def zeros(self, context: int) -> list[np.ndarray]:
        """Return zeros of uint8 for each input."""
        inputs, _ = self.counts(context)
        attributes = [self.attribute(context, "RKNN_QUERY_INPUT_ATTR", i)[1] for i in range(inputs)]
        return [np.zeros(a.n_elems, np.int64 if DTYPES[a.type] == np.int64 else np.uint8) for a in attributes]

    def input_buffer(self, context: int, index: int) -> bytes:
        """Return the bytes that the NPU would read."""
        raise NotImplementedError

    def run_with(self, context: int, planted: bytes) -> int:
        """Run a model of one output, as if the NPU had computed ``planted``: the first bytes of the dense output."""
        raise NotImplementedError


class Vendor(Subject):
    """The vendor's library, on the faked driver."""

    def __init__(self) -> None:
        header = Path(__file__).parent.parent / "vendor" / "driver" / "fake_npu.h"
        self.npu = FakeNpu(Path(os.environ["EZ_RKNN_FAKE_DRIVER"]), header)
        super().__init__(os.environ["EZ_RKNN_VENDOR_LIBRARY"])

    def input_buffer(self, context: int, index: int) -> bytes:
        inputs, outputs = self.counts(context)
        return self.npu.memories()[-inputs - outputs :][index].bytes.tobytes()

    def run_with(self, context: int, planted: bytes) -> int:
        native = self.attribute(context, "RKNN_QUERY_NATIVE_OUTPUT_ATTR")[1]
        dense = self.attribute(context, "RKNN_QUERY_OUTPUT_ATTR")[1]
        stored = _in_blocks(np.frombuffer(planted, DTYPES[dense.type]), dense, native)

        def plant(submission: Submission) -> None:
            written = [task[r] for task in submission.registers.values() for r in DESTINATIONS if r in task]
            address = [place for place in written if submission.is_memory(place)][-1]
            submission.at(address, stored.nbytes)[:] = stored.view(np.uint8).reshape(-1)

        self.npu.compute(plant)
        return self.run(context)


class Simulated(Subject):
    """The simulated NPU, exposed, and without arithmetic."""

    def __init__(self) -> None:
        os.environ["EZ_RKNN_SIMULATOR"] = "compute=off,soc=rk3588"
        path = os.environ["EZ_RKNN_OBSERVED_SIMULATOR"]
        self._observe = cffi.FFI()
        self._observe.cdef(
            "uint8_t *ez_rknn_observe_input(uint64_t context, uint32_t index, uint64_t *size);"
            "uint8_t *ez_rknn_observe_output(uint64_t context, uint32_t index, uint64_t *size);"
        )
        self._open = self._observe.dlopen(path)
        super().__init__(path)

    def input_buffer(self, context: int, index: int) -> bytes:
        size = self._observe.new("uint64_t *")
        begin = self._open.ez_rknn_observe_input(context, index, size)
        return bytes(self._observe.buffer(begin, size[0]))

    def run_with(self, context: int, planted: bytes) -> int:
        code = self.run(context)
        size = self._observe.new("uint64_t *")
        begin = self._open.ez_rknn_observe_output(context, 0, size)
        self._observe.memmove(begin, planted, len(planted))
        return code


def _in_blocks(dense: np.ndarray, attribute: Any, native: Any) -> np.ndarray:
    """Reorder an NCHW output as the NPU writes it: [N, C1, H, W, C2], with the pixels of each block numbered
    through."""
    if native.fmt != FORMATS["NC1HWC2"]:
        return dense
    n, c, h, w = attribute.dims[0:4]
    _, c1, rows, columns, c2 = native.dims[0:5]
    stored = np.zeros((n, c1 * c2, rows * columns), dense.dtype)
    stored[:, :c, : h * w] = dense.reshape(n, c, h * w)
    return np.ascontiguousarray(stored.reshape(n, c1, c2, rows * columns).transpose(0, 1, 3, 2))


SUBJECTS: dict[str, Callable[[], Subject]] = {"vendor": Vendor, "simulated": Simulated}
