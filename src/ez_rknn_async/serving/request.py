# SPDX-License-Identifier: Apache-2.0
"""Inference requests and responses, as REST and gRPC have them in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from .datatypes import DATATYPES, Shape, from_bytes, from_list
from .refusal import UNSUPPORTED, RefusedError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from .datatypes import Value

# Parameters of a request that are understood, and those that Triton's clients send and that change nothing here.
_SEQUENCES = ("sequence_id", "sequence_start", "sequence_end")
_IGNORED = ("headers", "binary_data_output", "binary_data_size")
_LARGEST = 2**63 - 1
_REGION = "shared_memory_region"
_OFFSET = "shared_memory_offset"
_SIZE = "shared_memory_byte_size"


@dataclass(frozen=True)
class RegionSlice:
    """A part of a registered region of shared memory."""

    region: str
    offset: int
    byte_size: int


@dataclass(frozen=True)
class Raw:
    """A tensor's bytes as they arrived."""

    data: memoryview


@dataclass(frozen=True)
class Typed:
    """A tensor's elements, as JSON or a typed field of gRPC has them."""

    data: Any


Source = Union[Raw, Typed, RegionSlice]


@dataclass(frozen=True)
class InputTensor:
    """An input as the client sent it."""

    name: str
    datatype: str
    shape: Shape
    source: Source

    def value(self, region: memoryview | None = None) -> Value:
        """Return the tensor; ``region`` is what a slice of shared memory holds."""
        if isinstance(self.source, Typed):
            return from_list(self.source.data, self.datatype, self.shape, self.name)
        data = self.source.data if isinstance(self.source, Raw) else region
        assert data is not None
        return from_bytes(data, self.datatype, self.shape, self.name)


@dataclass(frozen=True)
class WantedOutput:
    """An output that the client asks for, and how it is to be sent."""

    name: str
    binary: bool
    region: RegionSlice | None = None


@dataclass(frozen=True)
class InferRequest:
    """One inference.

    Attributes:
        outputs: those asked for; None for all.
        binary: whether outputs that are not named are sent as bytes.
        priority: 1 is the highest; 0 stands for the usual one, 2.
        timeout_us: the longest wait in the queue; 0 stands for the model's default.
    """

    id: str
    inputs: tuple[InputTensor, ...]
    outputs: tuple[WantedOutput, ...] | None = None
    binary: bool = False
    priority: int = 0
    timeout_us: int = 0


@dataclass(frozen=True)
class InferResponse:
    """The outputs of one inference, in the order asked for."""

    model: str
    version: str
    id: str
    outputs: tuple[tuple[WantedOutput, npt.NDArray[Any]], ...] = field(default_factory=tuple)


def checked_shape(shape: Any, name: str) -> Shape:
    """Return a shape, which must be a list of lengths."""
    if not isinstance(shape, (list, tuple)) or len(shape) > 16 or not all(map(_is_count, shape)):
        raise invalid(f"the shape of tensor {name!r} must be a list of at most 16 lengths, 0 or more")
    return tuple(shape)


def checked_datatype(datatype: Any, name: str) -> str:
    """Return a datatype, which must be one of the protocol's."""
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise invalid(f"the datatype of tensor {name!r} is not one of {', '.join(DATATYPES)}")
    return datatype


def region_of(parameters: Mapping[str, Any], name: str) -> RegionSlice | None:
    """Return the part of shared memory that a tensor's parameters name, or None."""
    if _REGION not in parameters:
        if _OFFSET in parameters or _SIZE in parameters:
            raise invalid(f"tensor {name!r} has {_SIZE} or {_OFFSET} without {_REGION}")
        return None
    region, size, offset = parameters[_REGION], parameters.get(_SIZE), parameters.get(_OFFSET, 0)
    if not isinstance(region, str) or not _is_count(size) or not _is_count(offset):
        raise invalid(f"tensor {name!r} needs {_REGION} (a name) and {_SIZE} (a number of bytes) together")
    assert isinstance(size, int)
    assert isinstance(offset, int)
    return RegionSlice(region, offset, size)


def check_tensor_parameters(parameters: Mapping[str, Any], name: str) -> None:
    """Refuse parameters of a tensor that are not understood."""
    if parameters.get("classification"):
        raise RefusedError(
            UNSUPPORTED,
            f"classification of output {name!r} is not offered",
            hint="ask for the output itself, and take its largest elements",
        )
    known = (_REGION, _OFFSET, _SIZE, "classification", "binary_data", "binary_data_size")
    unknown = next((key for key in parameters if key not in known), None)
    if unknown is not None:
        raise invalid(f"parameter {unknown!r} of tensor {name!r} is not one of {', '.join(known)}")


def scheduling(parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Return the priority and the time-out of a request, and refuse parameters that are not understood."""
    for name in _SEQUENCES:
        if parameters.get(name):
            raise RefusedError(UNSUPPORTED, f"{name}: sequences are not offered; leave it out")
    known = (*_SEQUENCES, *_IGNORED, "priority", "timeout")
    unknown = next((key for key in parameters if key not in known and not key.startswith("triton_")), None)
    if unknown is not None:
        raise invalid(f"request parameter {unknown!r} is not one of {', '.join(known)}")
    priority, timeout = parameters.get("priority", 0), parameters.get("timeout", 0)
    for name, value in (("priority", priority), ("timeout", timeout)):
        if not _is_count(value):
            raise invalid(f"request parameter {name!r} must be a whole number from 0, in microseconds for a timeout")
    return priority, timeout


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
