# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's optimisers on their own: from a model to a model rather than a session.

The result is written to files in memory; the weights have one of their own, which stays mapped.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from .lowering.builder import EMBEDDED_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# The first two move transposes, on any graph and then again: :mod:`.lowering.layout` describes the fault.
# The last one merges two consecutive roundings into one, to a scale between theirs.
_WRONG_OPTIMIZERS = ["TransposeOptimizer", "TransposeOptimizer_CPUExecutionProvider", "DoubleQDQPairsRemover"]

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register
_POPULATED = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)  # the latter is not in Python 3.9


def session_options(threads: int) -> ort.SessionOptions:
    """Return options that keep the NPU's numbers: no fusion may skip a rounding to int8 or float16."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Without this, DequantizeLinear-op-QuantizeLinear becomes an integer kernel that rounds in other places.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # Idle threads of a group would otherwise spin and take the processor from the other cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def run_optimizers(
    model: onnx.ModelProto, weights: dict[str, NDArray[Any]]
) -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """Return the optimised model, and its weights that are not in it: initialisers with external data, by name.

    It computes the same numbers, with operators that only ONNX Runtime has and in forms for this processor.

    Args:
        weights: of the model's initialisers with external data. It is emptied, to free them.
    """
    with _memory_file() as optimized, _memory_file() as external:
        _write(model, weights, optimized, external)
        result = onnx.ModelProto.FromString(os.pread(optimized, os.fstat(optimized).st_size, 0))
        outside = [one for one in result.graph.initializer if one.data_location == TensorProto.EXTERNAL]
        if not outside:
            return result, {}
        content = np.frombuffer(mmap.mmap(external, 0, flags=_POPULATED), np.uint8)
        return result, {one.name: _numbers(one, content) for one in outside}


def _write(model: onnx.ModelProto, weights: dict[str, NDArray[Any]], optimized: int, external: int) -> None:
    """Have ONNX Runtime write the model and its weights to two files, given by their descriptors."""
    options = session_options(1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = f"/proc/self/fd/{optimized}"
    # The name of a file in the same folder.
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", str(external))
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", str(EMBEDDED_BYTES)
    )
    options.add_session_config_entry("session.disable_prepacking", "1")  # nothing is computed
    names = list(weights)
    values = [ort.OrtValue.ortvalue_from_numpy(weights.pop(name)) for name in names]
    options.add_external_initializers(names, values)
    ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=_WRONG_OPTIMIZERS
    )


@contextlib.contextmanager
def _memory_file() -> Iterator[int]:
    descriptor = os.memfd_create("optimized")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _numbers(initializer: TensorProto, file: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the data of an initialiser, as a view of the file or, if it is misaligned, a copy."""
    offset = next(int(entry.value) for entry in initializer.external_data if entry.key == "offset")
    dtype = helper.tensor_dtype_to_np_dtype(initializer.data_type)
    content = file[offset : offset + math.prod(initializer.dims) * dtype.itemsize]
    if offset % _ALIGNMENT:
        content = _aligned(content)
    return content.view(dtype).reshape(tuple(initializer.dims))


def _aligned(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    memory = np.empty(content.size + _ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    copy = memory[begin : begin + content.size]
    copy[:] = content
    return copy


def give_back_memory() -> None:
    """Return the memory freed by opening a session, several times its weights, which the C library would keep."""
    with contextlib.suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)
