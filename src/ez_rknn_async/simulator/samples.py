# SPDX-License-Identifier: Apache-2.0
"""Inputs for a comparison: random ones, or the user's arrays cut into single inferences.

Inputs are as a program would pass them: real numbers in ONNX order, before mean and standard deviation are applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._messages.names import no_input
from .._messages.shape_advice import Expected, advice
from ..errors import RknnValueError
from .lowering.grid import QUANTIZED, grid_of, is_real

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model import Graph, Preprocessing, Tensor

    Sample = Mapping[str, NDArray[Any]]

SEED = 0
# The usual range of network inputs, for a tensor that gives none.
UNQUANTIZED_RANGE = (-3.0, 3.0)


def random_sample(graph: Graph) -> Sample:
    """Return normal noise within the range that each input was calibrated to; the same every time.

    The range is three standard deviations to each side: uniform noise would have more power than the calibration data,
    and show clipping that no real input causes.
    """
    generator = np.random.default_rng(SEED)
    return {
        graph.tensors[index].name: _noise(graph.tensors[index], preprocessing, generator)
        for index, preprocessing in zip(graph.inputs, graph.preprocessing)
    }


def _noise(tensor: Tensor, preprocessing: Preprocessing | None, generator: np.random.Generator) -> NDArray[Any]:
    if not is_real(tensor):
        # Indices and masks: the legal values are unknown, but 0 and 1 nearly always are.
        return generator.integers(0, 2, tensor.shape)
    low, high = _range(tensor)
    values = generator.normal((low + high) / 2, (high - low) / 6, tensor.shape).clip(low, high)
    if preprocessing is not None:
        values = values * _along_channels(preprocessing.std, values.ndim) + _along_channels(
            preprocessing.mean, values.ndim
        )
    return values.astype(np.float32)


def _range(tensor: Tensor) -> tuple[float, float]:
    """Return the range of real numbers that the tensor can hold."""
    grid = grid_of(tensor)
    if grid is None:
        return UNQUANTIZED_RANGE
    bounds = np.iinfo(QUANTIZED[grid.dtype])
    return (bounds.min - grid.zero_point) * grid.scale, (bounds.max - grid.zero_point) * grid.scale


def normalised(values: NDArray[Any], preprocessing: Preprocessing | None) -> NDArray[Any]:
    """Return the network's own input, which is also the original model's."""
    if preprocessing is None:
        return values
    mean, std = (_along_channels(numbers, values.ndim) for numbers in (preprocessing.mean, preprocessing.std))
    return (values - mean) / std


def _along_channels(numbers: tuple[float, ...], dimensions: int) -> NDArray[np.float32]:
    return np.asarray(numbers, np.float32).reshape((-1,) + (1,) * (dimensions - 2))


def split(graph: Graph, arrays: Sample) -> list[Sample]:
    """Split arrays for one or more inferences into single ones; the first dimension counts them.

    Raises:
        RknnValueError: an input is missing, or an array fits no whole number of inferences.
    """
    tensors = [graph.tensors[index] for index in graph.inputs]
    unknown = sorted(set(arrays) - {tensor.name for tensor in tensors})
    if unknown:
        raise RknnValueError(no_input(unknown[0], [tensor.name for tensor in tensors]))
    parts = {tensor.name: _parts(tensor, arrays) for tensor in tensors}
    counts = {name: len(pieces) for name, pieces in parts.items()}
    if len(set(counts.values())) != 1:
        raise RknnValueError(f"the inputs are for different numbers of inferences: {counts}")
    return [dict(zip(parts, pieces)) for pieces in zip(*parts.values())]


def _parts(tensor: Tensor, arrays: Sample) -> list[NDArray[Any]]:
    if tensor.name not in arrays:
        raise RknnValueError(f"there is no array for the input {tensor.name!r}")
    array = arrays[tensor.name]
    if array.shape == tensor.shape:
        return [array]
    if array.shape[1:] != tensor.shape[1:] or not tensor.shape or array.shape[0] % max(tensor.shape[0], 1):
        raise RknnValueError(
            f"the array for input {tensor.name!r} has shape {list(array.shape)}, and the model takes "
            f"{list(tensor.shape)} in ONNX order, or several of them along the first dimension"
            + advice(array.shape, [_expected(tensor)])
        )
    return np.split(array, array.shape[0] // tensor.shape[0])


def _expected(tensor: Tensor) -> Expected:
    if len(tensor.shape) != 4:
        return Expected(tensor.shape)
    return Expected(tensor.shape, "NCHW", "NHWC", is_settled=True)


def fits(graph: Graph, arrays: Sample) -> bool:
    """Check if the arrays have the shapes of this graph, one of a dynamic model's."""
    return all(
        graph.tensors[index].name in arrays
        and arrays[graph.tensors[index].name].shape[1:] == graph.tensors[index].shape[1:]
        for index in graph.inputs
    )
