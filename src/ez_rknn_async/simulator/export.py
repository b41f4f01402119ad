# SPDX-License-Identifier: Apache-2.0
"""Export of the simulated NPU's computation as a standard ONNX model.

Inputs and outputs are real numbers in ONNX order under the model's own names; mean and standard deviation are in the
graph. Quantised activations are pairs of QuantizeLinear and DequantizeLinear. Custom operators are nodes of the domain
``ez_rknn_async.custom`` with the attributes of the file; a program that runs the model has to supply them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper, shape_inference

from .lowering import lower
from .naming import readable
from .portable import with_separate_biases
from .soundness import check_soundness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import Model
    from .lowering import Lowered

PRODUCER = "ez-rknn-async"


def export(model: Model, graph_index: int = 0, *, rounding: bool = True, source: str = "") -> onnx.ModelProto:
    """Export one graph of ``model`` as a self-contained ONNX model with metadata.

    Args:
        graph_index: of a dynamic model; 0 has the largest shapes.
        rounding: False leaves out quantisation and the rounding to float16, and computes in float32.
        source: the name of the model's file, for the metadata.

    Raises:
        UnsupportedOperatorError: some operators cannot be executed; names all of them.
        RknnModelError: the graph is damaged.
    """
    lowered = lower(model, graph_index, io="float", rounding=rounding, integers=False)
    check_soundness(lowered, model.graphs[graph_index])
    lowered = readable(with_separate_biases(lowered), model.graphs[graph_index])
    exported = _with_shapes(lowered).to_onnx()
    exported.producer_name = PRODUCER
    helper.set_model_props(exported, dict(_metadata(model, graph_index, rounding, source)))
    return exported


def _with_shapes(lowered: Lowered) -> Lowered:
    """Add the shape of every value, which Netron shows on its edges."""
    lowered.skeleton.CopyFrom(shape_inference.infer_shapes(lowered.skeleton))
    return lowered


def _metadata(model: Model, graph_index: int, rounding: bool, source: str) -> Mapping[str, str]:
    return {
        "rknn_file": source,
        "rknn_target_platform": model.target_platform,
        "rknn_toolkit_version": ".".join(map(str, model.toolkit_version)),
        "rknn_compiler": model.compiler,
        "rknn_batch_size": str(model.batch_size),
        "rknn_graph": f"{graph_index} of {len(model.graphs)}",
        "arithmetic": "as on the NPU" if rounding else "float32",
    }
