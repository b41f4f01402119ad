# SPDX-License-Identifier: Apache-2.0
"""``IOBinding``: the values that an inference reads and writes.

A binding is made once and run many times: memory is allocated when something is bound, and never when it runs. It
serves one inference at a time; for several in flight, make several.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

import numpy as np

from .._host.process_bound import ProcessBound, never_raising
from .._messages.wording import shown
from .._running.retry import executor_of
from .._tensors.as_array import as_array
from .._tensors.element_types import parse_dtype
from ..errors import RknnClosedError, RknnInUseError, RknnTypeError, RknnValueError
from .binding_plan import BindingPlanner
from .binding_request import BindingRequest
from .bound_output import BoundOutput
from .foreign_value import input_value, output_value
from .ort_value import OrtValue, parse_device, parse_shape, tensor_of
from .ports import parse_layout, parse_mem_flags, ports_of, tensor_at
from .storage import CPU, DeviceTensor, HostTensor
from .usage import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._running.executor import Executor
    from .binding_request import BindingPlan
    from .ports import Port

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]


Method = TypeVar("Method", bound=Callable[..., Any])


def _exclusive(method: Method) -> Method:
    """Run a method that changes a binding apart from other changes and from the preparation of inferences.

    It is retried on the new contexts if the session's executor is exchanged meanwhile.
    """

    @functools.wraps(method)
    def call(self: IOBinding, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            while True:
                try:
                    return method(self, *args, **kwargs)
                except RknnClosedError:
                    session = self._session()
                    if session is None or executor_of(session) is self._executor:
                        raise

    return cast("Method", call)


class IOBinding(ProcessBound):
    """The inputs and outputs of inferences of one session; made by ``session.io_binding()``.

    Binding a name again replaces what was bound to it, and keeps its place among the outputs. The output values that
    the binding made itself are overwritten by each run; those that were passed in are the user's.

    While an inference of this binding is under way every method raises :class:`RknnInUseError`.
    """

    def __init__(self, session: Any) -> None:
        """Belong to a session, without keeping it open."""
        executor = executor_of(session)
        if executor is None:
            raise RknnTypeError(f"IOBinding takes an InferenceSession, not {shown(session)}")
        executor.check_open()
        self._session: weakref.ref[Any] = weakref.ref(session)
        self._executor = executor
        self._ports = ports_of(executor)
        self._planner = BindingPlanner(executor)
        self._mark = Mark("this binding")
        self._lock = threading.RLock()  # guards what follows; reentrant for signal handlers
        self._inputs: dict[str, OrtValue] = {}
        self._outputs: dict[str, BoundOutput] = {}
        self._unbound: dict[str, BoundOutput] = {}
        self._ready: BindingPlan | None = None  # the last run's plan, as long as it serves the next run too

    @never_raising
    def __repr__(self) -> str:
        inputs, outputs = (", ".join(map(repr, bound)) or "nothing" for bound in (self._inputs, self._outputs))
        return f"<{type(self).__name__}: inputs {inputs}; outputs {outputs}>"

    # ---- Inputs ----

    @_exclusive
    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        """Convert an array into the binding's own NPU memory, now; the array may be changed afterwards.

        Args:
            name: of the input.
            arr_on_cpu: as for ``run()``; the model's dynamic shapes included.

        Raises:
            RknnValueError, RknnTypeError: there is no such input, or the array does not fit it.
        """
        self._begin_change()
        port = self._ports.find(name, "input")
        given = self._executor.signature.inputs[port.index].check(as_array(arr_on_cpu, name))
        tensor = self._planner.staging(port, port.array_form(given.array.shape, given.array.dtype))
        tensor.write(given.array)
        self._inputs[port.name] = OrtValue(tensor)

    def bind_input(
        self,
        name: str,
        device_type: str,
        device_id: int,
        element_type: Any,
        shape: Sequence[int],
        buffer_ptr: int,
    ) -> None:
        """Bind memory by its address: of an array that stays alive (``array.ctypes.data``), or of a value on the NPU.

        Args:
            name: of the input.
            device_type: ``"cpu"`` or ``"rknpu2"``.
            device_id: 0.
            element_type: of the tensor there.
            shape: its shape; it is C-contiguous.
            buffer_ptr: the address; on the NPU what ``value.data_ptr()`` returned.

        Raises:
            RknnValueError, RknnTypeError: there is no such input or no value at this address, or it does not fit.
        """
        if str(device_type).lower() == "cuda":
            raise RknnValueError("there is no GPU whose memory could be bound; copy the tensor to the CPU first")
        if parse_device(device_type, device_id) == CPU:
            value = OrtValue(HostTensor(_array_at(buffer_ptr, shape, element_type)))
        else:
            value = OrtValue(tensor_at(_address(buffer_ptr)))
        self.bind_ortvalue_input(name, value)

    @_exclusive
    def bind_ortvalue_input(self, name: str, ortvalue: Any) -> None:
        """Bind a value, ours or ONNX Runtime's. One on the CPU is converted at each run, by the worker that runs it.

        Raises:
            RknnValueError: there is no such input, or the value does not fit it; the message lists the differences.
            RknnTypeError: it is no ``OrtValue``.
        """
        port, value, tensor = self._fitting("input", name, ortvalue)
        if isinstance(tensor, HostTensor):
            self._executor.signature.inputs[port.index].check(tensor.array)
        self._inputs[port.name] = value

    # ---- Outputs ----

    @_exclusive
    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
        *,
        layout: str = "native",
        mem_flags: str | int | None = "cacheable",
    ) -> None:
        """Bind an output to a new value, on the CPU or on the NPU.

        Args:
            name: of the output.
            device_type: ``"cpu"`` or ``"rknpu2"``.
            device_id: 0.
            element_type: float32 or the output's own type; None: as ``run()`` returns it (on the NPU: its own).
            shape: of the output; None: its own.
            buffer_ptr: on the CPU, the address of a C-contiguous array to write into, which stays alive.
            layout: on the NPU, as for :meth:`OrtValue.ortvalue_from_shape_and_type`.
            mem_flags: as there.

        Raises:
            RknnValueError, RknnTypeError: there is no such output, or it has no such type, shape or layout.
        """
        self._begin_change()
        port, device = self._ports.find(name, "output"), parse_device(device_type, device_id)
        dtype = None if element_type is None else parse_dtype(element_type)
        flags, form = parse_mem_flags(mem_flags), parse_layout(layout)
        wanted = None if shape is None else parse_shape(shape)
        port.form(wanted, dtype)
        if buffer_ptr is not None:
            if device != CPU:
                raise RknnValueError("memory for an output on the NPU is bound with bind_ortvalue_output()")
            array = _array_at(buffer_ptr, wanted or port.shape, dtype or np.float32)
            self.bind_ortvalue_output(name, OrtValue(HostTensor(array)))
            return
        output = BoundOutput(port, device, dtype, form, flags, self._executor.signature.native_outputs)
        output.value_of(wanted or port.shape)
        self._outputs[port.name] = output

    @_exclusive
    def bind_ortvalue_output(self, name: str, ortvalue: Any) -> None:
        """Bind an output to a value, ours or ONNX Runtime's, whose memory is then written in place.

        Raises:
            RknnValueError: there is no such output, or the value does not fit it; the message lists the differences.
            RknnTypeError: it is no ``OrtValue``.
        """
        port, value, tensor = self._fitting("output", name, ortvalue)
        if isinstance(tensor, HostTensor):
            port.form(tensor.shape, tensor.array.dtype)
            if not tensor.array.flags.writeable:
                raise RknnValueError(
                    f"the value for output {name!r} shares the memory of a read-only array; make it of a copy"
                )
        self._outputs[port.name] = BoundOutput(port, value=value)

    def _fitting(self, kind: str, name: str, ortvalue: Any) -> tuple[Port, OrtValue, HostTensor | DeviceTensor]:
        """Return a port, the value for it as one of ours, and its tensor, which fits if it is on the NPU."""
        self._begin_change()
        port, caller = self._ports.find(name, kind), f"bind_ortvalue_{kind}"
        value = input_value(ortvalue, caller) if kind == "input" else output_value(ortvalue, caller)
        tensor = tensor_of(value, caller)
        if isinstance(tensor, DeviceTensor):
            port.match(tensor)
        return port, value, tensor

    # ---- Results ----

    def get_outputs(self) -> list[OrtValue]:
        """Return the values of the bound outputs, in the order of binding; if none is bound, of all, on the NPU.

        Raises:
            RknnInUseError: an inference of this binding is under way.
        """
        self._check_idle()
        return self.results()

    def get_outputs_as_ortvaluevector(self) -> list[OrtValue]:
        """Return the same as :meth:`get_outputs`."""
        return self.get_outputs()

    def copy_outputs_to_cpu(self) -> list[Array]:
        """Return the outputs as new arrays, in the order of :meth:`get_outputs`; from the NPU, their real numbers."""
        return [value.numpy() for value in self.get_outputs()]

    def results(self) -> list[OrtValue]:
        """Return what :meth:`get_outputs` does; for the package's own use, when an inference has just ended."""
        outputs = self._outputs or self._unbound
        return [output.value for output in outputs.values() if output.value is not None]

    # ---- Changes ----

    @_exclusive
    def clear_binding_inputs(self) -> None:
        """Unbind all inputs."""
        self._begin_change()
        self._inputs.clear()

    @_exclusive
    def clear_binding_outputs(self) -> None:
        """Unbind all outputs."""
        self._begin_change()
        self._outputs.clear()
        self._unbound.clear()

    def synchronize_inputs(self) -> None:
        """Make what the CPU wrote to the inputs visible to the NPU; every run does that anyway."""
        self._check_idle()
        for value in self._inputs.values():
            value.sync_to_device()

    def synchronize_outputs(self) -> None:
        """Make the outputs visible to the CPU; every run does that anyway."""
        for value in self.get_outputs():
            value.sync_from_device()

    # ---- Running ----

    def request(self, session: Any, executor: Executor) -> BindingRequest:
        """Make a request for one inference on what is bound now; everything in it is in use from here on.

        Args:
            session: the session to run it.
            executor: the session's executor.

        Raises:
            RknnValueError: an input is not bound, values do not go together, or the binding is another session's.
            RknnInUseError: the binding or a value is in use.
            RknnClosedError: the session is closed, or runs on another executor by now.
        """
        executor.check_open()
        if session is not self._session():
            raise RknnValueError("this binding is of another session; make one with this session's io_binding()")
        with self._lock:
            self._follow()
            if executor is not self._executor:
                raise RknnClosedError("the session was loaded again meanwhile")
            plan = self._ready
            if plan is None:
                self._check_idle()
                plan = self._plan()
                self._ready = None if plan.has_copies else plan
            return BindingRequest(plan, self._ports.last_bound)

    def _plan(self) -> BindingPlan:
        missing = [port.name for port in self._ports.inputs if port.name not in self._inputs]
        if missing:
            raise RknnValueError(
                f"nothing is bound to input {', '.join(map(repr, missing))}; "
                "use bind_cpu_input() or bind_ortvalue_input()"
            )
        inputs = [self._inputs[port.name] for port in self._ports.inputs]
        outputs = [
            self._outputs.get(port.name) or self._unbound.setdefault(port.name, BoundOutput(port))
            for port in self._ports.outputs
        ]
        return self._planner.plan(self._mark, inputs, outputs)

    def _follow(self) -> None:
        """Move to the session's present executor, if ``set_providers()`` or ``reset()`` has exchanged it.

        What was bound stays bound; values that the binding made itself are made again, in memory of the new contexts.

        Raises:
            RknnInUseError: an inference is under way on the former contexts.
            RknnError: the session's tensors go through copies now.
        """
        session = self._session()
        executor = self._executor if session is None else session._deployment.executor
        if executor is self._executor:
            return
        self._check_idle()
        self._executor, self._ports = executor, ports_of(executor)
        self._planner, self._unbound, self._ready = BindingPlanner(executor), {}, None
        native = executor.signature.native_outputs
        self._outputs = {
            name: output.at(self._ports.find(name, "output"), native) for name, output in self._outputs.items()
        }

    def _begin_change(self) -> None:
        self._check_idle()
        self._follow()
        self._ready = None

    def _check_idle(self) -> None:
        if self._mark.in_flight:
            raise RknnInUseError(
                "an inference of this binding is under way",
                hint="wait for its future or callback, or use another binding meanwhile",
            )


def _address(buffer_ptr: Any) -> int:
    try:
        address = operator.index(buffer_ptr)
    except TypeError:
        raise RknnTypeError(
            f"buffer_ptr takes an address, such as array.ctypes.data, not {shown(buffer_ptr)}"
        ) from None
    if address <= 0:
        raise RknnValueError(f"buffer_ptr={address} is not an address")
    return address


def _array_at(buffer_ptr: Any, shape: Sequence[int], element_type: Any) -> Array:
    """Return the C-contiguous array at this address."""
    dtype, extents = parse_dtype(element_type), parse_shape(shape)
    size = dtype.itemsize * int(np.prod(extents))
    buffer = (ctypes.c_char * size).from_address(_address(buffer_ptr))
    array: Array = np.frombuffer(memoryview(buffer), dtype).reshape(extents)
    return array
