# SPDX-License-Identifier: Apache-2.0
"""Tasks, register commands and look-up tables of compiled models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ez_rknn_async.errors import RknnModelError
from ez_rknn_async.model import Kind, RegisterFile, lookup_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from ez_rknn_async.model import Model

CONVOLUTION = 0x1D
OUTPUT_ZERO_POINT = 0x4080


def test_every_npu_node_has_the_announced_tasks(open_model: Callable[[str], Model]) -> None:
    """The task list and the nodes agree on the number of tasks of each, in the lists for one, two and three cores."""
    graph = open_model("block_int8").graphs[0]
    registers = RegisterFile(open_model("block_int8"), graph)
    announced = [node for node in graph.nodes if any(node.tasks)]
    assert announced
    for node in announced:
        tasks = registers.tasks(node)
        assert len(tasks) >= sum(node.tasks)
        assert {task.node for task in tasks} == {node.index}


def test_the_registers_of_a_convolution_hold_its_output_zero_point(open_model: Callable[[str], Model]) -> None:
    """The graph gives the same number."""
    model = open_model("tiny_conv_int8")
    graph = model.graphs[0]
    (node,) = [node for node in graph.nodes if node.op.startswith("Conv")]
    registers = RegisterFile(model, graph)
    assert registers.tasks(node)[0].enable_mask == CONVOLUTION
    quantization = graph.tensors[node.outputs[0]].quantization
    assert quantization is not None
    stored = registers.first_compute(node)[OUTPUT_ZERO_POINT]
    assert stored - (stored >> 31 << 32) == quantization.zero_point[0]


def test_a_cpu_node_has_no_registers(open_model: Callable[[str], Model]) -> None:
    """The reader invents nothing for it."""
    model = open_model("block_int8")
    graph = model.graphs[0]
    node = next(node for node in graph.nodes if not any(node.tasks))
    registers = RegisterFile(model, graph)
    assert registers.first_compute(node) == {}
    assert registers.tasks(node) == ()


def test_the_sigmoid_table_is_a_sigmoid(open_model: Callable[[str], Model]) -> None:
    """It has 513 entries for negative arguments and 513 for the others, spaced by 32 / K, scaled by 32768."""
    model = open_model("activations_int8")
    graph = model.graphs[0]
    tensor = next(tensor for tensor in graph.tensors if tensor.kind is Kind.LUT and tensor.name == "Sigmoid")
    table = lookup_table(model, graph, tensor)
    gain = 2598
    for entries, first in ((table.le, -16384), (table.lo, 0)):
        arguments = (first + 32 * np.arange(513)) / gain
        assert entries == pytest.approx(32768 / (1 + np.exp(-arguments)), abs=32)


def test_refuses_commands_outside_their_buffer(open_model: Callable[[str], Model]) -> None:
    """A task that points past the register commands is found when it is read."""
    model = open_model("tiny_conv_int8")
    graph = model.graphs[0]
    (commands,) = [tensor for tensor in graph.tensors if tensor.kind is Kind.REGISTER_COMMANDS]
    buffers = list(model._buffers)
    buffers[commands.buffer] = buffers[commands.buffer][:8]
    damaged = replace(model, _buffers=buffers)
    node = next(node for node in graph.nodes if any(node.tasks))
    with pytest.raises(RknnModelError, match="register commands"):
        RegisterFile(damaged, graph).first_compute(node)


def test_refuses_a_table_without_its_parts(open_model: Callable[[str], Model]) -> None:
    """Register commands alone are not a look-up table."""
    model = open_model("tiny_conv_int8")
    graph = model.graphs[0]
    (commands,) = [tensor for tensor in graph.tensors if tensor.kind is Kind.REGISTER_COMMANDS]
    with pytest.raises(RknnModelError, match="has no part 0x20000"):
        lookup_table(model, graph, commands)
