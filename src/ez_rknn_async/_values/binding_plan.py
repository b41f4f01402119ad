# SPDX-License-Identifier: Apache-2.0
"""The planning of a binding's inferences: their memory, conversions and contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._tensors.shapes import choose
from ..errors import RknnValueError
from .binding_request import BindingPlan, BoundTensor
from .ort_value import tensor_of
from .ports import ports_of
from .storage import DeviceTensor, HostTensor
from .usage import Mark, Use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._running.executor import Executor
    from .._tensors.value_layout import Form
    from .bound_output import BoundOutput
    from .ort_value import OrtValue
    from .ports import Port

    Shape = tuple[int, ...]


class BindingPlanner:
    """Plans the inferences of one binding on one executor.

    It owns the NPU memory for arrays, one piece for each port and form; that is kept, so that no run allocates.
    """

    def __init__(self, executor: Executor) -> None:
        """Plan for this executor; the memory belongs to its contexts."""
        self._executor = executor
        self._staging: dict[tuple[str, Form], DeviceTensor] = {}

    def staging(self, port: Port, form: Form) -> DeviceTensor:
        """Return the memory through which a port's arrays go in this form, allocated when first needed."""
        key = (port.kind + port.name, form)
        tensor = self._staging.get(key)
        return tensor or self._staging.setdefault(key, port.allocate_form(form))

    def plan(self, binding: Mark, inputs: Sequence[OrtValue], outputs: Sequence[BoundOutput]) -> BindingPlan:
        """Plan one inference.

        Args:
            binding: the mark of the binding itself, in use like its values.
            inputs, outputs: what is bound, in the model's order.

        Raises:
            RknnValueError: a value does not fit, or the values do not go together.
        """
        executor, signature, ports = self._executor, self._executor.signature, ports_of(self._executor)
        bound_inputs = [self._input(port, value) for port, value in zip(ports.inputs, inputs)]
        forms = [bound.form for bound in bound_inputs]
        chosen = choose(signature.sets, [f.tensor.attribute.shape for f in forms], [f.order for f in forms])
        shapes = [o.for_user(a.shape) for o, a in zip(signature.outputs, signature.sets[chosen].outputs)]
        bound_outputs = [self._output(*each) for each in zip(ports.outputs, outputs, shapes)]
        uses = [(binding, Use.RECEIVES)]
        uses += list(dict.fromkeys((bound.mark, Use.FEEDS) for bound in bound_inputs))
        uses += [(bound.mark, Use.RECEIVES) for bound in bound_outputs]
        _check_distinct(uses)
        lane, contexts = executor.lane([b.form.way for b in bound_inputs], [b.form.way for b in bound_outputs])
        transfers = [b.transfer(contexts) for b in bound_inputs], [b.transfer(contexts) for b in bound_outputs]
        return BindingPlan(bound_inputs, bound_outputs, signature.descriptions[chosen], uses, lane, transfers)

    def _input(self, port: Port, value: OrtValue) -> BoundTensor:
        tensor = tensor_of(value, "an input")
        if isinstance(tensor, DeviceTensor):
            return BoundTensor(tensor.memory, port.match(tensor), tensor.mark)
        given = self._executor.signature.inputs[port.index].check(tensor.array)
        form = port.array_form(given.array.shape, given.array.dtype)
        array = np.ascontiguousarray(given.array).reshape(given.array.shape)
        is_copy = not np.may_share_memory(array, tensor.array)
        memory = self.staging(port, form).memory
        return BoundTensor(memory, form, tensor.mark, form.writing(array.dtype, given.order), array, is_copy)

    def _output(self, port: Port, output: BoundOutput, shape: Shape) -> BoundTensor:
        tensor = tensor_of(output.value_of(shape), "an output")
        if isinstance(tensor, DeviceTensor):
            form = port.match(tensor)
            _check_shape(tensor, form.shape, shape)
            return BoundTensor(tensor.memory, form, tensor.mark)
        _check_shape(tensor, tensor.shape, shape)
        form = port.array_form(shape, tensor.array.dtype)
        memory = self.staging(port, form).memory
        return BoundTensor(memory, form, tensor.mark, form.reading(tensor.array.dtype), tensor.array)


def _check_shape(tensor: DeviceTensor | HostTensor, has: Shape, gives: Shape) -> None:
    if has != gives:
        raise RknnValueError(
            f"{tensor.mark.name} has shape {list(has)}, but this run gives {list(gives)}; bind_output() makes "
            "values of the shape that a run gives"
        )


def _check_distinct(uses: Sequence[tuple[Mark, Use]]) -> None:
    seen: set[Mark] = set()
    for mark, _ in uses:
        if mark in seen:
            raise RknnValueError(f"{mark.name} is bound twice; an output needs a value that nothing else is bound to")
        seen.add(mark)
