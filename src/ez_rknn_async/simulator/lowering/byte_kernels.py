# SPDX-License-Identifier: Apache-2.0
"""A test of which of ONNX Runtime's kernels for products of bytes are exact on this processor.

Activations are uint8. With int8 weights, x86 processors without VNNI add two products in 16 bits before they go to 32,
and saturate: 255 * 127 + 255 * 127 does not fit. The kernels for uint8 weights are exact everywhere, but several times
slower with VNNI. The documentation lists the kernels by processor; what counts is the result here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

_SHAPES = ((1, 64, 16), (3, 33, 17), (64, 512, 64), (196, 576, 128))  # rows, sum, columns: for each path of the kernels
_OPSETS = (("", 17), ("com.microsoft", 1))


@lru_cache(maxsize=1)
def weight_type() -> type[np.int8] | type[np.uint8]:
    """Return the type of weights whose products with uint8 are exact and fast. Takes milliseconds, once per process."""
    return np.int8 if all(map(_exact, _SHAPES)) else np.uint8


def _exact(shape: tuple[int, int, int]) -> bool:
    """Check if the kernel for int8 weights sums the largest possible products exactly."""
    rows, length, columns = shape
    left = np.full((rows, length), 255, np.uint8)
    right = np.full((length, columns), 127, np.int8)
    right[:, ::2] = -128
    expected = left.astype(np.int64) @ right.astype(np.int64)
    return np.array_equal(_product(left, right), expected)


def _product(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Multiply as the simulated NPU does: the right side is a constant, which is packed beforehand."""
    one, zeros = np.array(1, np.float32), np.zeros(right.shape[1], right.dtype)
    constants = {"right": right, "one": one, "zero": np.array(0, left.dtype), "zeros": zeros}
    operands = ("left", "right", "one", "one", "zero", "zeros")
    node = helper.make_node("MatMulIntegerToFloat", operands, ["product"], domain="com.microsoft")
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, left.shape)],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, (len(left), right.shape[1]))],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    product: np.ndarray[Any, Any] = session.run(None, {"left": left})[0]
    return product
