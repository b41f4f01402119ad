# SPDX-License-Identifier: Apache-2.0
"""Removal of operators without effect: ONNX Runtime computes every operator that it is given."""

from __future__ import annotations

import onnx


def without_unread(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model of those operators that its outputs depend on, directly or not."""
    read = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if read.intersection(node.output):
            kept.append(node)
            read.update(node.input)
    pruned = onnx.ModelProto()
    pruned.CopyFrom(model)
    del pruned.graph.node[:]
    pruned.graph.node.extend(reversed(kept))
    return pruned
