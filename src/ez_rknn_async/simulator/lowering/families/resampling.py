# SPDX-License-Identifier: Apache-2.0
"""Changes of resolution and rearrangements of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from ..grid import is_real
from ..registry import lowers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ....model.format.graph import Node
    from ..builder import GraphBuilder

MODES = ("mode", "coordinate_transformation_mode", "nearest_mode", "exclude_outside")
NUMBERS = ("cubic_coeff_a", "extrapolation_value")


def _given(node: Node, *names: str) -> dict[str, Any]:
    return {name: node.attributes[name] for name in names if name in node.attributes}


@lowers("Resize", "Upsample")
def resize(node: Node, to: GraphBuilder) -> None:
    """Resize to the output's shape, by the factors in the file or, if there are none, those that follow from it."""
    scales = _scales(node, to)
    extent = (to.initializer(scales),) if scales is not None else ("", to.ints(to.shape(node.outputs[0])))
    attributes = _given(node, *MODES)
    if attributes.get("mode") == "cubic":
        # The file may store these as integers, and a coefficient of 0 for none.
        attributes |= {name: float(value) for name, value in _given(node, *NUMBERS).items() if value}
    to.result(node.outputs[0], to.add("Resize", to.value(node.inputs[0]), "", *extent, **attributes))


def _scales(node: Node, to: GraphBuilder) -> NDArray[np.float32] | None:
    """Return the factors in the file, if any: 19 pixels by 0.5 are 9, and every pixel is 2 wide, not 19 / 9."""
    given, result = to.shape(node.inputs[0]), to.shape(node.outputs[0])
    for index in node.inputs[1:]:
        if to.is_constant(index) and is_real(to.tensor(index)) and to.shape(index) == (len(given),):
            scales: NDArray[np.float32] = to.numbers(index).astype(np.float32)
            if np.array_equal(np.floor(np.array(given) * scales), result):
                return scales
    return None


@lowers("RoiAlign")
def roi_align(node: Node, to: GraphBuilder) -> None:
    """Resample regions to one size."""
    sizes = ("output_height", "output_width", "sampling_ratio", "spatial_scale")
    given = _given(node, "mode", "coordinate_transformation_mode", *sizes)
    value, regions, batch = to.values(node.inputs[:3])
    batch = to.add("Cast", batch, to=TensorProto.INT64)
    to.result(node.outputs[0], to.add("RoiAlign", value, regions, batch, **given))


@lowers("SpaceToDepth")
def space_to_depth(node: Node, to: GraphBuilder) -> None:
    """Move blocks of pixels to channels."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("SpaceToDepth", value, **_given(node, "blocksize")), value)


@lowers("DepthToSpace")
def depth_to_space(node: Node, to: GraphBuilder) -> None:
    """Move channels to blocks of pixels."""
    value = to.value(node.inputs[0])
    to.moved(node.outputs[0], to.add("DepthToSpace", value, **_given(node, "blocksize", "mode")), value)


@lowers("GridSample")
def grid_sample(node: Node, to: GraphBuilder) -> None:
    """Sample pixels at the places that the second operand gives."""
    flags = _given(node, "mode", "padding_mode", "align_corners")
    to.result(node.outputs[0], to.add("GridSample", *to.values(node.inputs[:2]), **flags))
