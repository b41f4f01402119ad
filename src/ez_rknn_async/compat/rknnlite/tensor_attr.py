# SPDX-License-Identifier: Apache-2.0
"""``rknn_tensor_attr`` as ctypes has it: what programs read of a tensor behind RKNNLite's back."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from ..._runtime.abi import ffi
from ..._runtime.tensor_attribute import describe

if TYPE_CHECKING:
    from ..._runtime.tensor_attribute import TensorAttribute


class RKNNTensorAttr(ctypes.Structure):
    """One input or output, as ``rknn_query`` describes it."""

    _fields_ = [
        ("index", ctypes.c_uint32),
        ("n_dims", ctypes.c_uint32),
        ("dims", ctypes.c_uint32 * 16),
        ("name", ctypes.c_char * 256),
        ("n_elems", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("fmt", ctypes.c_int),
        ("type", ctypes.c_int),
        ("qnt_type", ctypes.c_int),
        ("fl", ctypes.c_int8),
        ("zp", ctypes.c_int32),
        ("scale", ctypes.c_float),
        ("w_stride", ctypes.c_uint32),
        ("size_with_stride", ctypes.c_uint32),
        ("pass_through", ctypes.c_uint8),
        ("h_stride", ctypes.c_uint32),
    ]


def tensor_attr(index: int, attribute: TensorAttribute) -> RKNNTensorAttr:
    """Make the structure of the tensor with this index."""
    structure = RKNNTensorAttr.from_buffer_copy(ffi.buffer(describe([attribute])))
    structure.index = index
    return structure
