# SPDX-License-Identifier: Apache-2.0
"""LSTM and GRU layers as real numbers.

The weights of all gates and directions are rows of one packed matrix, each gate padded to a whole number of blocks.
Gates are in ONNX order (i, o, f, c; z, r, h). The bias has, for each direction, the gates' input biases and then
their recurrent ones. An initial state that the network does not give is zeros, padded like a channel dimension.

A GRU's table has no place for ``clip`` and ``activations``. From 2.5 on the compiler writes ``exGRU`` for one that runs
forward and has neither, so a ``GRU`` that runs forward has one of them, and it is not known which.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from ...errors import RknnModelError
from ..format.graph import DUMMY, DType, Kind
from .constants import constant, real_constant
from .dpu import DPUS, UNITY_SHIFT
from .unsupported import UnsupportedFormError
from .weights import unpack, unpack_sections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..format.file import Model
    from ..format.graph import Graph, Node, Tensor
    from .dpu import Dpu
    from .registers import RegisterFile

    Array = np.ndarray[Any, np.dtype[Any]]
    State = Union[Array, int]  # numbers, or the index of the tensor that is computed

GATES = {"LSTM": 4, "GRU": 3}
_EXTENDED_GRU = (2, 5, 0)  # the first compiler that writes exGRU
_PEEPHOLES = 7  # of an LSTM's operands
_STATE_SCALE = 1 / 128  # of the hidden state in a quantised LSTM; its zero point is 0
_TABLE_RANGE = 32768.0
_CONVOLUTION = 0x01  # bit of the enable mask
_SCRATCH = "_compute_zone"  # the suffix of its scratch memory's name
_ELEMENTWISE, _READ_ADDRESS, _PIXEL = 0x18, 0x5018, 16  # enable mask, register, bytes of a block of channels


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer with ONNX's operands, in float32."""

    kind: str  # "LSTM" or "GRU"
    weight: Array  # [directions, gates * hidden, inputs]
    recurrence: Array  # [directions, gates * hidden, hidden]
    bias: Array  # [directions, 2 * gates * hidden]
    hidden_size: int
    direction: str  # "forward", "reverse" or "bidirectional"
    lengths: tuple[int, ...]  # of the sequences of the batch; empty: all of them in full
    attributes: Mapping[str, Any]  # ONNX's others, where the layer has them
    state: State  # initial hidden state [directions, batch, hidden], in float32
    cell: State | None  # an LSTM's initial cell state


def recurrent(model: Model, graph: Graph, node: Node, registers: RegisterFile) -> Recurrent:
    """Return the layer that ``node`` computes.

    Raises:
        UnsupportedFormError: it is stored in an unknown form.
        RknnModelError: it is damaged.
    """
    try:
        return _RecurrentDecoder(model, graph, node, registers).recurrent()
    except (ArithmeticError, LookupError, ValueError) as error:  # operands or dimensions are missing
        raise RknnModelError(
            f"the model file is damaged: layer {node.name!r} ({node.op}) lacks an operand, or has one that does not fit"
        ) from error


class _RecurrentDecoder:
    def __init__(self, model: Model, graph: Graph, node: Node, registers: RegisterFile) -> None:
        self._model = model
        self._graph = graph
        self._node = node
        self._registers = registers
        self._kind = node.op[-4:] if node.op.endswith("LSTM") else "GRU"
        self._gates = GATES[self._kind]
        self._source, self._weight, self._recurrence, self._bias = (graph.tensors[i] for i in node.inputs[:4])
        # The initial state may be padded, unlike the hidden states that the layer returns.
        given = next((shape for shape in self._initial_shapes() if len(shape) == 3), ())
        states, last = (graph.tensors[index].shape for index in (*node.outputs, DUMMY)[:2])
        joined = len(states) == 3  # the directions beside each other; perhaps only the last state is used
        if given:
            self._directions, self._batch, padded = given
        else:  # none is given: that is to be seen from the hidden states
            self._directions, self._batch, padded = last or (states[1], states[2], states[3])
        self._hidden = states[-1] // self._directions if joined else (states or last)[-1]
        if self._hidden > padded:
            raise UnsupportedFormError(f"its initial state has {padded} numbers of {self._hidden}")

    def recurrent(self) -> Recurrent:
        """Decode all parts."""
        if self._weight.dtype is DType.FLOAT16:
            weight, recurrence, bias = self._floating()
        elif self._weight.dtype is DType.INT8 and self._kind == "LSTM" and self._model.target_platform in DPUS:
            weight, recurrence, bias = self._quantized()
        else:
            raise UnsupportedFormError(f"its weights are {self._weight.dtype.name}, on {self._model.target_platform}")
        lstm = self._kind == "LSTM"
        state, cell = self._node.inputs[5], self._node.inputs[6] if lstm else None
        return Recurrent(
            kind=self._kind,
            weight=np.ascontiguousarray(self._joined(weight), np.float32),
            recurrence=np.ascontiguousarray(self._joined(recurrence), np.float32),
            bias=np.ascontiguousarray(bias.reshape(self._directions, -1), np.float32),
            hidden_size=self._hidden,
            direction=self._direction(),
            lengths=self._lengths(),
            attributes=self._lstm_attributes() if lstm else self._gru_attributes(),
            state=self._initial(state),
            cell=None if cell is None else self._initial(cell),
        )

    def _initial_shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of the initial states that are given."""
        tensors = [self._graph.tensors[index] for index in self._node.inputs[5:7]]
        return [tensor.shape for tensor in tensors if not tensor.is_placeholder]

    def _direction(self) -> str:
        if self._directions == 2:
            return "bidirectional"
        given = self._node.attributes
        if "hidden_size" not in given or (self._node.op == "GRU" and "direction" not in given and self._node.on_npu):
            return self._direction_of_reading()
        return str(self._node.attributes.get("direction") or "forward")

    def _direction_of_reading(self) -> str:
        """Infer the direction, which compilers do not write for an LSTM before 2.5 or a GRU before 2.3.2.

        The input's share of the gates is computed for all time steps at once, and read step by step. It lies highest in
        the scratch memory, so the two highest addresses are the first two steps or the last two, or those of a loop.
        """
        reads = [
            task.registers[_READ_ADDRESS]
            for task in self._registers.tasks(self._node)
            if task.enable_mask == _ELEMENTWISE and _READ_ADDRESS in task.registers
        ]
        second, highest = sorted({0, *reads})[-2:]
        if self._source.shape[0] == 1:
            return "forward"
        if not second or (highest - second) % _PIXEL or highest - second > _PIXEL * self._batch:
            raise UnsupportedFormError("its direction is not in the file, nor to be seen from its commands")
        return "reverse" if reads.index(highest) < reads.index(second) else "forward"

    def _lengths(self) -> tuple[int, ...]:
        """Read the lengths, 32-bit integers that the compiler marks float16; zeros, or a helper, stand for none."""
        tensor = self._graph.tensors[self._node.inputs[4]]
        if tensor.kind is Kind.HELPER or tensor.is_placeholder:
            return ()
        data = self._model.constant_bytes(self._graph, tensor)[: 4 * self._batch]
        lengths = tuple(np.frombuffer(data, "<i4", len(data) // 4).tolist())
        if not any(lengths):
            return ()
        if len(lengths) < self._batch or not all(0 <= length <= self._source.shape[0] for length in lengths):
            raise UnsupportedFormError(f"the lengths of its sequences are {lengths}")
        return lengths

    def _gru_attributes(self) -> dict[str, Any]:
        renamed = self._model.toolkit_version >= _EXTENDED_GRU
        if self._node.op == "GRU" and renamed and self._direction() != "reverse":
            raise UnsupportedFormError("its clip or its activations, which are not in the file, are not the usual ones")
        if "linear_before_reset" not in self._node.attributes:
            raise UnsupportedFormError("the file does not say whether it is linear before the reset gate")
        return {"linear_before_reset": int(self._node.attributes["linear_before_reset"])}

    def _lstm_attributes(self) -> dict[str, Any]:
        given = self._node.attributes
        if given.get("input_forget"):
            raise UnsupportedFormError("its input and forget gates are coupled")
        operands = [self._graph.tensors[index] for index in self._node.inputs]
        if len(operands) > _PEEPHOLES and operands[_PEEPHOLES].shape and not operands[_PEEPHOLES].is_placeholder:
            raise UnsupportedFormError("it has peepholes")
        attributes: dict[str, Any] = {"clip": float(given["clip"])} if given.get("clip") else {}
        if any(given.get("activations", ())):
            attributes["activations"] = given["activations"]
            coefficients = ("activation_alpha", "activation_beta")
            attributes.update({name: given[name] for name in coefficients if given.get(name)})
        return attributes

    def _initial(self, index: int) -> State:
        tensor = self._graph.tensors[index]
        if tensor.is_placeholder:
            return np.zeros((self._directions, self._batch, self._hidden), np.float32)
        if tensor.shape[:-1] != (self._directions, self._batch):
            raise UnsupportedFormError(f"its initial state {tensor.name!r} has shape {list(tensor.shape)}")
        if not tensor.is_constant:
            return index
        if tensor.dtype is DType.FLOAT16 and tensor.shape[-1] == self._hidden:
            return self._state_in_blocks(tensor)
        numbers = constant(self._model, self._graph, tensor)
        if tensor.dtype is DType.INT8 and tensor.quantization is None:
            if numbers.any():  # zeros are zeros in any scale
                raise UnsupportedFormError(f"the scale of its initial state {tensor.name!r} is not known")
            return np.zeros((*tensor.shape[:-1], self._hidden), np.float32)
        return real_constant(self._model, self._graph, tensor)[..., : self._hidden]

    def _state_in_blocks(self, tensor: Tensor) -> Array:
        """Read an initial state whose sequences each fill whole blocks of channels: only the length shows it."""
        data = self._model.constant_bytes(self._graph, tensor)
        rows = math.prod(tensor.shape[:-1])
        numbers = np.frombuffer(data[: len(data) // (2 * rows) * 2 * rows], "<f2").reshape(*tensor.shape[:-1], -1)
        if numbers.shape[-1] < self._hidden:
            raise UnsupportedFormError(f"its initial state {tensor.name!r} has {len(data)} bytes")
        return numbers[..., : self._hidden].astype(np.float32)

    def _joined(self, gates: Array) -> Array:
        """Reshape [directions, gates, hidden, columns] to ONNX's rows."""
        return gates.reshape(self._directions, self._gates * self._hidden, -1)

    def _rows(self, tensor: Tensor, columns: int) -> Array:
        """Return the packed matrix as [directions, gates, hidden, columns]."""
        sections = unpack_sections(self._model, self._graph, tensor, self._directions * self._gates)
        if sections is not None:
            if sections.shape[1] < self._hidden or sections.shape[2] < columns:
                raise UnsupportedFormError(f"its weights {tensor.name!r} are {list(sections.shape[1:3])}")
            rows = sections[:, : self._hidden, :columns, 0, 0]
            return rows.reshape(self._directions, self._gates, self._hidden, columns)
        stored = unpack(self._model, self._graph, tensor)[:, :columns, 0, 0]
        padded = self._rows_of_a_gate(tensor, len(stored))
        # Whatever the padding, both directions have the same number of rows.
        per_direction, rest = divmod(len(stored), self._directions)
        if rest or per_direction < self._gates * padded or stored.shape[1] < columns:
            raise UnsupportedFormError(f"its weights {tensor.name!r} are {list(stored.shape)}")
        rows = stored.reshape(self._directions, per_direction, columns)[:, : self._gates * padded]
        return rows.reshape(self._directions, self._gates, padded, columns)[:, :, : self._hidden]

    def _rows_of_a_gate(self, tensor: Tensor, stored: int) -> int:
        """Return the rows of a gate: the shape counts those of one, or of all, which are padded only at the end."""
        rows = tensor.shape[0]
        return rows if self._hidden <= rows <= stored // (self._directions * self._gates) else self._hidden

    def _floating(self) -> tuple[Array, Array, Array]:
        # The tensor's shape does not count the padding, the buffer's length does.
        data = self._model.constant_bytes(self._graph, self._bias)
        bias = np.frombuffer(data[: len(data) // 4 * 4], "<f4")
        groups = self._directions * 2 * self._gates
        if self._bias.dtype is not DType.FLOAT32 or bias.size < groups * self._hidden:
            raise UnsupportedFormError(f"its bias is {self._bias.dtype.name}, of {bias.size} numbers")
        padded = self._weight.shape[0]
        width = padded if bias.size >= groups * padded > groups * self._hidden else self._hidden
        bias = bias[: groups * width].reshape(self._directions, 2 * self._gates, width)[:, :, : self._hidden]
        inputs = self._source.shape[-1]
        return self._rows(self._weight, inputs), self._rows(self._recurrence, self._hidden), bias

    def _quantized(self) -> tuple[Array, Array, Array]:
        """Dequantise as in a convolution; the accumulators go to the gates' tables, which take 32768 units for 1."""
        if self._source.quantization is None:
            raise UnsupportedFormError("its weights are quantised, but not its input")
        scale, zero_point = self._source.quantization.scale[0], self._source.quantization.zero_point[0]
        settings = self._settings()
        bias, offset, multiplier = (
            part.reshape(self._directions, 2, self._gates, -1)[..., : self._hidden]
            for part in self._bias_parts(settings)
        )
        weight = self._rows(self._weight, self._source.shape[-1]) + offset[:, 0, :, :, None]
        recurrence = self._rows(self._recurrence, self._hidden) + offset[:, 1, :, :, None]
        of_weight, of_recurrence = (
            one.output_gain() / _TABLE_RANGE * multiplier[:, part] / (1 << UNITY_SHIFT)
            for part, one in enumerate(settings)
        )
        input_bias = (bias[:, 0] + zero_point * weight.sum(-1)) * of_weight
        real_bias = np.concatenate([input_bias, bias[:, 1] * of_recurrence], axis=1)
        return (
            weight * (of_weight / scale)[..., None],
            recurrence * (of_recurrence / _STATE_SCALE)[..., None],
            real_bias,
        )

    def _bias_parts(self, settings: tuple[Dpu, Dpu]) -> tuple[Array, Array, Array]:
        """Return biases, offsets and multipliers of all rows, padding included: float64.

        If all rows have the same offset and multiplier there are only biases.
        """
        groups = self._directions * 2 * self._gates
        lanes = settings[0].lanes
        fields = [("bias", "<i4", lanes), ("offset", "<i2", lanes), ("multiplier", "<u2", lanes)]
        per_layer = settings[0].per_layer()
        record = np.dtype(fields[:1] if per_layer else fields)
        data = self._model.constant_bytes(self._graph, self._bias)
        count = len(data) // record.itemsize // groups * groups
        if count * lanes < groups * self._hidden:
            raise UnsupportedFormError(f"its bias has {len(data)} bytes")
        blocks = np.frombuffer(data, record, count)
        bias = blocks["bias"].astype(np.float64)
        if not per_layer:
            return bias, blocks["offset"].astype(np.float64), blocks["multiplier"].astype(np.float64)
        offsets = np.array([one.layer_zero_point(depthwise=False) for one in settings], np.float64)
        rows = bias.size // groups * self._gates
        return bias, np.tile(np.repeat(offsets, rows), self._directions), np.full(bias.size, float(1 << UNITY_SHIFT))

    def _settings(self) -> tuple[Dpu, Dpu]:
        """Return the settings of the products with the inputs and with the hidden state.

        The inputs are multiplied first, the last hidden state by the last convolution of one core that is not a copy.
        """
        count = self._node.tasks[0] + sum(self._node.lut_tasks[:1])
        of_one_core = islice(self._registers.each_task(self._node), count)  # a long sequence has tens of thousands
        tasks = [task for task in of_one_core if task.enable_mask & _CONVOLUTION]
        kind = DPUS[self._model.target_platform]
        convolutions = [
            task.registers
            for task in tasks
            if task.registers.get(kind.out_scale, 0) & 0xFFFF and kind(task.registers, {}).output_gain() != 1
        ]
        if not convolutions:
            raise UnsupportedFormError("the commands for the NPU, which hold its scales, are missing")
        first, last = convolutions[0], convolutions[-1]  # a task may write only what the one before it has not
        return kind(first, self._constants("ii")), kind({**first, **last}, self._constants("ri"))

    def _constants(self, which: str) -> dict[str, Array]:
        """Read the settings that RK3576 and RV1126B keep in memory, for the first gate of input or hidden state."""
        for tensor in self._graph.tensors:
            if tensor.name.endswith(f"_compute_zone_fc_{which}_BScfgTensor") and self._belongs(tensor):
                data = self._model.constant_bytes(self._graph, tensor)
                return {"_BScfgTensor": np.frombuffer(data[: len(data) // 2 * 2], "<u2")}
        return {}

    def _belongs(self, tensor: Tensor) -> bool:
        zones = [name for index in self._node.inputs if (name := self._graph.tensors[index].name).endswith(_SCRATCH)]
        return any(tensor.name.startswith(zone) for zone in zones)
