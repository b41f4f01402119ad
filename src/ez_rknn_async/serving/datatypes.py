# SPDX-License-Identifier: Apache-2.0
"""The protocol's element types: their bytes and their JSON, as numpy arrays and back.

Bytes are little-endian, row-major and unpadded. An array made of bytes is a view: nothing is copied. BF16, which numpy
has not, becomes float32; a tensor of BYTES becomes a list, since its elements differ in length.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from .refusal import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]

Value = Union["Array", "list[bytes]"]
Shape = tuple[int, ...]

BYTES = "BYTES"
_NUMPY = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "BF16": "<u2",
}
_NAMES = {np.dtype(code): name for name, code in _NUMPY.items() if name != "BF16"}
DATATYPES = (*_NUMPY, BYTES)
_LENGTH = struct.Struct("<I")


def datatype_of(dtype: npt.DTypeLike) -> str:
    """Return the protocol's name of a numpy type."""
    return _NAMES[np.dtype(dtype).newbyteorder("<")]


def dtype_of(datatype: str) -> np.dtype[Any]:
    """Return the numpy type that holds the elements of a datatype other than BYTES."""
    return np.dtype(_NUMPY[datatype])


def byte_size(datatype: str, shape: Shape) -> int:
    """Return the bytes that a tensor of fixed-size elements takes."""
    return math.prod(shape) * dtype_of(datatype).itemsize


def from_bytes(data: memoryview, datatype: str, shape: Shape, name: str) -> Value:
    """Return the tensor whose bytes these are.

    Raises:
        RefusedError: the number of bytes is not that of the shape.
    """
    if datatype == BYTES:
        return _elements(data, math.prod(shape), name)
    expected = byte_size(datatype, shape)
    if len(data) != expected:
        raise invalid(
            f"tensor {name!r} has {len(data)} bytes, but {datatype} of shape {list(shape)} takes {expected}",
            hint="give the shape of what is sent",
        )
    array: Array = _shaped(np.frombuffer(data, dtype_of(datatype)), shape, name)
    return _widened(array) if datatype == "BF16" else array


def from_list(data: Any, datatype: str, shape: Shape, name: str) -> Value:
    """Return the tensor whose elements stand in JSON, flat or nested.

    Raises:
        RefusedError: the elements do not fit the type, or their number not the shape.
    """
    if datatype in ("FP16", "BF16"):
        raise invalid(f"tensor {name!r} is {datatype}, which JSON cannot carry", hint="send it as binary data")
    if datatype == BYTES:
        texts = _flat(data)
        if not all(isinstance(text, (str, bytes)) for text in texts):  # bytes: from a typed field of gRPC
            raise invalid(f"tensor {name!r} is BYTES: each element must be a string in JSON, or send binary data")
        _check_count(len(texts), shape, name)
        # JSON carries no lone surrogates on purpose; those that come are refused by the encoder.
        try:
            return [text if isinstance(text, bytes) else text.encode() for text in texts]
        except UnicodeEncodeError:
            raise invalid(f"tensor {name!r} holds text that is not valid Unicode") from None
    array = _numbers(data, datatype, name)
    _check_count(array.size, shape, name)
    return _shaped(array, shape, name)


def to_bytes(array: Array) -> memoryview:
    """Return an array's bytes, without copying those of a contiguous little-endian one."""
    dense = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return memoryview(dense.reshape(-1).view(np.uint8).data)


def pack_elements(elements: Sequence[bytes]) -> bytes:
    """Return the bytes of a BYTES tensor: each element with its length before it."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def _elements(data: memoryview, count: int, name: str) -> list[bytes]:
    found: list[bytes] = []
    offset = 0
    while offset < len(data):
        start = offset + _LENGTH.size
        length = _LENGTH.unpack_from(data, offset)[0] if start <= len(data) else len(data)
        if start + length > len(data):
            raise invalid(f"element {len(found)} of BYTES tensor {name!r} ends beyond its data")
        if len(found) == count:
            raise invalid(f"BYTES tensor {name!r} holds more than the {count} elements of its shape")
        found.append(bytes(data[start : start + length]))
        offset = start + length
    if len(found) != count:
        raise invalid(f"BYTES tensor {name!r} holds {len(found)} elements, its shape {count}")
    return found


def _numbers(data: Any, datatype: str, name: str) -> Array:
    """Return numbers from JSON in their type, refusing what would change on the way."""
    if not isinstance(data, list):
        raise invalid(f"the data of tensor {name!r} must be a list")
    wanted = dtype_of(datatype)
    # Before numpy sees them: beside one long string it would make every element as long.
    if not _types(data) <= {int, float, bool}:
        raise invalid(f"the data of tensor {name!r} does not hold {datatype} numbers")
    try:
        array = np.asarray(data) if data else np.empty(0, wanted)
    except (ValueError, RecursionError, OverflowError):
        raise invalid(f"the data of tensor {name!r} is not an array: its lists differ in length or depth") from None
    kinds = {"b": "b", "f": "fiu", "i": "iu", "u": "iu"}[wanted.kind]
    if array.dtype.kind not in kinds and array.size:
        raise invalid(f"the data of tensor {name!r} does not hold {datatype} numbers")
    if wanted.kind in "iu" and array.size:
        limits = np.iinfo(wanted)
        low, high = int(array.min()), int(array.max())
        if low < limits.min or high > limits.max:
            raise invalid(
                f"tensor {name!r} holds {low if low < limits.min else high}, but {datatype} takes "
                f"{limits.min} to {limits.max}"
            )
    with np.errstate(over="ignore"):  # a float64 beyond float32 is infinite there, as in every client
        return array.astype(wanted)


def _flat(data: Any) -> list[Any]:
    """Return the leaves of nested lists, in order."""
    pending, found = [data], []
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(reversed(item))
        else:
            found.append(item)
    return found


def _types(data: list[Any]) -> set[type]:
    """Return the types of the leaves of nested lists."""
    pending, found = [data], set[type]()
    while pending:
        item = pending.pop()
        types = set(map(type, item))
        if list in types:
            pending.extend(each for each in item if type(each) is list)
        found |= types
    return found - {list}


def _check_count(count: int, shape: Shape, name: str) -> None:
    if count != math.prod(shape):
        raise invalid(f"tensor {name!r} holds {count} elements, but its shape {list(shape)} has {math.prod(shape)}")


def _shaped(array: Array, shape: Shape, name: str) -> Array:
    try:
        return array.reshape(shape)
    except ValueError:  # of no elements, beside a length that no array has
        raise invalid(f"tensor {name!r} cannot have shape {list(shape)}") from None


def _widened(array: Array) -> Array:
    return (array.astype(np.uint32) << 16).view(np.float32)
