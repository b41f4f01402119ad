# SPDX-License-Identifier: Apache-2.0
"""A full read of a model: everything that the package can read."""

from __future__ import annotations

import json

import numpy as np

from ez_rknn_async.cli.info import describe
from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import (
    Graph,
    Kind,
    Layout,
    Model,
    Node,
    RegisterFile,
    Tensor,
    has_zero_points,
    load,
    lookup_table,
    read_header,
    real_constant,
    unpack,
    unpack_depthwise_with_zero_points,
)
from ez_rknn_async.model.operators.convolution import convolution
from ez_rknn_async.model.operators.recurrent import recurrent

RECURRENT = ("LSTM", "exLSTM", "GRU", "exGRU")


def walk(data: bytes) -> bool:
    """Load ``data``, describe it and decode every tensor; return True if all of that succeeds.

    Loading may raise ``RknnModelError``; after that, each tensor may.
    """
    header = read_header(data)
    model = load(data)
    assert model.header == header
    json.dumps(describe(model))
    whole = True
    for graph in model.graphs:
        whole &= _walk_nodes(model, graph)
        for tensor in graph.tensors:
            whole &= decode(model, graph, tensor)
    return whole


def decode(model: Model, graph: Graph, tensor: Tensor) -> bool:
    """Decode one tensor, if it has data; False when it is refused."""
    if not model.has_data(graph, tensor) or tensor.kind is Kind.HELPER:
        return True
    try:
        if tensor.kind is Kind.LUT:
            lookup_table(model, graph, tensor)
        elif tensor.layout is Layout.PACKED_WEIGHT:
            _checked(unpack(model, graph, tensor))
            if has_zero_points(model, graph, tensor):
                unpack_depthwise_with_zero_points(model, graph, tensor)
        elif tensor.kind in (Kind.WEIGHT, Kind.CONSTANT):
            with np.errstate(all="ignore"):  # damaged numbers may overflow
                values = real_constant(model, graph, tensor)
            assert values.shape == tensor.shape
    except RknnModelError:
        return False
    return True


def _walk_nodes(model: Model, graph: Graph) -> bool:
    try:
        registers = RegisterFile(model, graph)
    except RknnModelError:
        return False
    whole = True
    for node in graph.nodes:
        whole &= _walk_node(model, graph, node, registers)
    return whole


def _walk_node(model: Model, graph: Graph, node: Node, registers: RegisterFile) -> bool:
    """Read what is only in the registers, and the operands of operators that are stored in a special form."""
    try:
        registers.first_compute(node)
        with np.errstate(all="ignore"):
            if node.op.startswith("Conv"):
                convolution(model, graph, node, registers)
            elif node.op in RECURRENT:
                recurrent(model, graph, node, registers)
    except RknnModelError:
        return False
    return True


def _checked(array: np.ndarray) -> None:
    assert array.ndim == 4
