"""From what is bound to what the engine is told: memory, conversions and contexts for the inferences of a binding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._tensors.shapes import choose
from ..errors import RknnValueError
from .binding_request import BindingPlan, Passage
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

    It owns the NPU memory through which the arrays go, by input or output and form; that is kept, so that no run
    allocates.
    """

    def __init__(self, executor: Executor) -> None:
        """The memory will be of this executor's contexts."""
        self._executor = executor
        self._staging: dict[tuple[str, Form], DeviceTensor] = {}

    def stage(self, port: Port, form: Form) -> DeviceTensor:
        """The memory for arrays that go in or come out there, in this form."""
        key = (port.kind + port.name, form)
        tensor = self._staging.get(key)
        return tensor or self._staging.setdefault(key, port.allocate_form(form))

    def plan(self, binding: Mark, inputs: Sequence[OrtValue], outputs: Sequence[BoundOutput]) -> BindingPlan:
        """Everything that an inference needs.

        Args:
            binding: the mark of the binding itself, in use like its values.
            inputs, outputs: what is bound, in the model's order.

        Raises:
            RknnValueError: values do not fit, or not together.
        """
        executor, signature, ports = self._executor, self._executor.signature, ports_of(self._executor)
        entering = [self._entering(port, value) for port, value in zip(ports.inputs, inputs)]
        forms = [passage.form for passage in entering]
        chosen = choose(signature.sets, [f.tensor.attribute.shape for f in forms], [f.order for f in forms])
        shapes = [o.for_user(a.shape) for o, a in zip(signature.outputs, signature.sets[chosen].outputs)]
        leaving = [self._leaving(*each) for each in zip(ports.outputs, outputs, shapes)]
        uses = [(binding, Use.RECEIVES)]
        uses += list(dict.fromkeys((passage.mark, Use.FEEDS) for passage in entering))
        uses += [(passage.mark, Use.RECEIVES) for passage in leaving]
        _check_distinct(uses)
        lane, contexts = executor.lane([p.form.way for p in entering], [p.form.way for p in leaving])
        transfers = [p.transfer(contexts) for p in entering], [p.transfer(contexts) for p in leaving]
        return BindingPlan(entering, leaving, signature.descriptions[chosen], uses, lane, transfers)

    def _entering(self, port: Port, value: OrtValue) -> Passage:
        tensor = tensor_of(value, "an input")
        if isinstance(tensor, DeviceTensor):
            return Passage(tensor.memory, port.match(tensor), tensor.mark)
        given = self._executor.signature.inputs[port.index].check(tensor.array)
        form = port.staging(given.array.shape, given.array.dtype)
        array = np.ascontiguousarray(given.array).reshape(given.array.shape)
        is_copy = not np.may_share_memory(array, tensor.array)
        memory = self.stage(port, form).memory
        return Passage(memory, form, tensor.mark, form.writing(array.dtype, given.order), array, is_copy)

    def _leaving(self, port: Port, output: BoundOutput, shape: Shape) -> Passage:
        tensor = tensor_of(output.value_of(shape), "an output")
        if isinstance(tensor, DeviceTensor):
            form = port.match(tensor)
            _check_shape(tensor, form.shape, shape)
            return Passage(tensor.memory, form, tensor.mark)
        _check_shape(tensor, tensor.shape, shape)
        form = port.staging(shape, tensor.array.dtype)
        memory = self.stage(port, form).memory
        return Passage(memory, form, tensor.mark, form.reading(tensor.array.dtype), tensor.array)


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
            raise RknnValueError(f"{mark.name} is bound twice: what is written cannot be read or written otherwise too")
        seen.add(mark)
