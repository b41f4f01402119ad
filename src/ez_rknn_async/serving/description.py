# SPDX-License-Identifier: Apache-2.0
"""What the protocol says of a model: its metadata and its configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .datatypes import datatype_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensors.node_arg import NodeArg
    from ..session import InferenceSession

PLATFORM = "rockchip_rknn"
# ONNX's names, but for those that are numpy's names, too.
_NUMPY = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class TensorDescription:
    """A tensor of the model; -1 stands for a variable length."""

    name: str
    datatype: str
    shape: list[int]

    @property
    def config_type(self) -> str:
        """The name that a model's configuration has for the datatype."""
        return f"TYPE_{self.datatype}"


@dataclass(frozen=True)
class ModelDescription:
    """A served model as its clients see it."""

    name: str
    version: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]

    def metadata(self) -> dict[str, Any]:
        """Return the model's metadata."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": [vars(tensor) for tensor in self.inputs],
            "outputs": [vars(tensor) for tensor in self.outputs],
        }

    def config(self) -> dict[str, Any]:
        """Return the model's configuration: what Triton's clients read of it."""
        return {
            "name": self.name,
            "platform": PLATFORM,
            "backend": "rknn",
            "max_batch_size": 0,
            "input": [_config(tensor) for tensor in self.inputs],
            "output": [_config(tensor) for tensor in self.outputs],
            "parameters": {},
        }


def describe(name: str, version: str, session: InferenceSession, image_datatype: str) -> ModelDescription:
    """Return the description of a session's model.

    Args:
        name, version: of the model in its repository.
        session: the model.
        image_datatype: what its image inputs are called, for clients that send what the metadata says; empty for the
            session's own type.
    """
    inputs = tuple(
        TensorDescription(arg.name, (image_datatype if _is_image(arg) else "") or _datatype(arg), _shape(arg))
        for arg in session.get_inputs()
    )
    outputs = tuple(TensorDescription(arg.name, _datatype(arg), _shape(arg)) for arg in session.get_outputs())
    return ModelDescription(name, version, inputs, outputs)


def elements(args: Sequence[NodeArg]) -> int:
    """Return the elements of tensors in their largest shapes."""
    return sum(math.prod(arg.shape) for arg in args)


def _is_image(arg: NodeArg) -> bool:
    return arg.layout in ("NCHW", "NHWC")


def _datatype(arg: NodeArg) -> str:
    name = arg.type.partition("(")[2].rstrip(")")
    return datatype_of(_NUMPY.get(name, name))


def _shape(arg: NodeArg) -> list[int]:
    shapes = arg.shapes or [arg.shape]
    if any(len(shape) != len(arg.shape) for shape in shapes):
        return list(arg.shape)
    return [length if len(set(lengths)) == 1 else -1 for length, lengths in zip(arg.shape, zip(*shapes))]


def _config(tensor: TensorDescription) -> dict[str, Any]:
    return {"name": tensor.name, "data_type": tensor.config_type, "dims": tensor.shape}
