# SPDX-License-Identifier: Apache-2.0
"""Ports: the inputs and outputs that values on the NPU are made for and bound to.

A :class:`Port` is one input or output of a session as its values see it. It knows the forms that a value can have
there; a value of another session fits if it has one of them, byte for byte.
"""

from __future__ import annotations

import operator
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from .._host import greenlets
from .._messages.names import meant
from .._messages.shape_advice import Expected, advice
from .._messages.wording import option, shown
from .._options.checks import MEM_FLAGS
from .._running.retry import executor_of
from .._runtime.memory import FLAGS
from .._tensors.node_arg import NodeArg, quantization
from .._tensors.shapes import listing, to_nchw
from ..errors import RknnError, RknnTypeError, RknnValueError
from .binding_request import LastBound
from .npu_memory import DeviceMemory
from .storage import DeviceTensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from .._contexts.pool import Contexts
    from .._running.executor import Executor
    from .._tensors.inputs import Input
    from .._tensors.outputs import Output
    from .._tensors.value_layout import Form, Forms
    from .._transport.direct import Direct

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]

KINDS = ("input", "output")
_LAYOUTS = {"onnx": "session", "native": "session", "nhwc": "nhwc", "nc1hwc2": "nc1hwc2"}
_MEM_FLAG_NAMES = {number: name for name, number in FLAGS.items()}

# For binding a value by its data_ptr().
_by_address: weakref.WeakValueDictionary[int, DeviceTensor] = weakref.WeakValueDictionary()


class Port:
    """One input or output of a session.

    Attributes:
        kind: ``"input"`` or ``"output"``.
        index: in the model's order.
        name: of the tensor.
    """

    def __init__(
        self, kind: str, index: int, name: str, contexts: Contexts, forms: Mapping[Shape, Forms], *, native: bool
    ) -> None:
        """Take the ``forms`` for each shape of arrays; ``native``: read values as they are in memory."""
        self.kind, self.index, self.name = kind, index, name
        self._contexts = contexts
        self._forms = forms
        self._native = native

    @property
    def node_arg(self) -> NodeArg:
        """The memory of a value in the preferred form, strides in bytes."""
        form = next(iter(self._forms.values())).preferred
        bound, shape = form.tensor.bound, list(form.tensor.bound.shape)
        strides = list(form.tensor.strides)
        return NodeArg(self.name, shape, form.type, bound.format, quantization(bound), [shape], strides, is_native=True)

    @property
    def shape(self) -> Shape:
        """The first of the shapes that its values can have."""
        return next(iter(self._forms))

    def allocate(
        self, shape: Shape | None, dtype: np.dtype[Any] | None, layout: str = "session", flags: str = "default"
    ) -> DeviceTensor:
        """Make a value in new memory.

        Args:
            shape: of its arrays; None: the first possible one.
            dtype: the element type; None: the tensor's own.
            layout: ``"session"``, ``"nhwc"`` or ``"nc1hwc2"``.
            flags: one of :data:`._runtime.memory.FLAGS`.

        Raises:
            RknnValueError: this input or output has no such shape, type or layout.
            RknnClosedError: the session is closed.
            RknnDeviceError: there is no memory left.
        """
        form = self.form(shape, dtype, layout)
        return self._tensor(DeviceMemory.allocate(self._contexts, form.tensor.size, flags), form)

    def allocate_for(self, array: Array, layout: str) -> DeviceTensor:
        """Make a value in new memory for the numbers of an array: pixels stay pixels where they can."""
        forms = self._forms.get(array.shape)
        raw = array.dtype == np.uint8 and forms is not None and forms.pixels is not None
        return self.allocate(array.shape, array.dtype if raw else None, layout)

    def allocate_form(self, form: Form) -> DeviceTensor:
        """Make a value of one of this port's forms; see :meth:`allocate`."""
        return self._tensor(DeviceMemory.allocate(self._contexts, form.tensor.size, "default"), form)

    def import_fd(
        self, shape: Shape, dtype: np.dtype[Any] | None, layout: str, fd: int, size: int, offset: int
    ) -> DeviceTensor:
        """Make a value in another owner's memory; see :meth:`allocate`.

        Raises:
            RknnValueError: the memory is too small, or the descriptor is not of memory.
        """
        form = self.form(shape, dtype, layout)
        _check_size(f"the part of file descriptor {fd} has", size, form, self.name)
        return self._tensor(DeviceMemory.from_fd(self._contexts, fd, size, offset), form)

    def form(self, shape: Shape | None, dtype: np.dtype[Any] | None, layout: str = "session") -> Form:
        """Return the form for arrays of this shape and type; see :meth:`allocate`."""
        forms = self._forms.get(self.shape if shape is None else shape)
        if forms is None:
            raise RknnValueError(
                f"{self.kind} {self.name!r} has shape {listing(tuple(self._forms))}, not {list(shape or ())}"
                + advice(shape or (), self._expected)
            )
        form = forms.named(layout)
        if dtype is None or dtype.name == form.type or dtype == form.real_dtype:
            return form
        if dtype == np.uint8 and forms.pixels is not None:
            return forms.pixels
        pixels = ", or uint8 for raw pixels" if forms.pixels is not None else ""
        raise RknnValueError(
            f"{self.kind} {self.name!r} is {form.type} in memory; a value for it is of that type, or {form.real_dtype} "
            f"for its real numbers{pixels}; not {dtype}"
        )

    @property
    def _expected(self) -> list[Expected]:
        if self.kind == "input":
            return [forms.preferred.expected for forms in self._forms.values()]
        return [Expected(shape) for shape in self._forms]

    def array_form(self, shape: Shape, dtype: np.dtype[Any]) -> Form:
        """Return the form that arrays of this type are best converted to and from."""
        forms = self._forms[shape]
        return forms.pixels if dtype == np.uint8 and forms.pixels is not None else forms.native

    def match(self, tensor: DeviceTensor) -> Form:
        """Return the form of this port that a value has.

        Raises:
            RknnValueError: it has none of them; the message lists the differences.
        """
        candidates = [form for forms in self._forms.values() for form in forms]
        closest = min(candidates, key=lambda form: len(form.differences(tensor.form)))
        differences = closest.differences(tensor.form)
        if differences:
            raise RknnValueError(
                f"{tensor.mark.name} cannot be bound to {self.kind} {self.name!r}, whose memory differs: "
                f"{'; '.join(differences)}"
            )
        _check_size(f"the memory of {tensor.mark.name} has", tensor.memory.size, closest, self.name)
        return closest

    def _tensor(self, memory: DeviceMemory, form: Form) -> DeviceTensor:
        tensor = DeviceTensor(memory, form, self.name, native=self._native and self.kind == "output")
        _by_address[tensor.address] = tensor
        return tensor


class Ports:
    """All inputs and outputs of a session, for values.

    Attributes:
        inputs, outputs: in the model's order.
        last_bound: the memory that the session's contexts are bound to.
    """

    def __init__(self, executor: Executor) -> None:
        """Find the forms that values can have.

        Raises:
            RknnError: the session's tensors go through copies.
        """
        direct, signature, contexts = executor.direct, executor.signature, executor.contexts
        native, prefers_nhwc = signature.native_outputs, executor.options.zero_copy_layout == "nhwc"
        if direct is None:
            raise RknnError(
                f"this session's tensors go through copies ({option('io_mode')}), so nothing can be bound to its "
                "inputs and outputs",
                hint=f"leave {option('io_mode')} at 'auto'; the log says why a model's tensors cannot be bound",
            )
        self.inputs = [
            Port("input", i, io.attribute.name, contexts, _input_forms(direct, i, io, prefers_nhwc), native=native)
            for i, io in enumerate(signature.inputs)
        ]
        self.outputs = [
            Port("output", i, io.attribute.name, contexts, _output_forms(direct, i, io, prefers_nhwc), native=native)
            for i, io in enumerate(signature.outputs)
        ]

        self.last_bound = LastBound()
        executor.call_at_end(self.last_bound.forget)

    def find(self, name: Any, kind: Any = None) -> Port:
        """Return the input or output of this name; ``kind`` may be None where only one of them has it.

        Raises:
            RknnValueError, RknnTypeError: there is none, or there are two.
        """
        if kind not in (None, *KINDS):
            raise RknnValueError(f"io_kind={kind!r} is neither 'input' nor 'output'")
        if not isinstance(name, str):
            raise RknnTypeError(f"the name of an {kind or 'input or output'} is a string, not {shown(name)}")
        ports = [p for p in (*self.inputs, *self.outputs) if kind in (None, p.kind)]
        found = [p for p in ports if p.name == name]
        if not found:
            names = [p.name for p in ports]
            suggestion = meant(name, names) or f"it has {', '.join(map(repr, names))}"
            raise RknnValueError(f"the model has no {kind or 'input or output'} {shown(name)}; {suggestion}")
        if len(found) > 1:
            raise RknnValueError(f"{name!r} is an input and an output of the model; say which with io_kind")
        return found[0]


_making = greenlets.lock()  # guards _ports
_ports: weakref.WeakKeyDictionary[Executor, Ports] = weakref.WeakKeyDictionary()


def ports_of(executor: Executor) -> Ports:
    """Return the ports of a session, always the same ones.

    Raises:
        RknnError: the session's tensors go through copies.
    """
    with _making:
        ports = _ports.get(executor)
        if ports is None:
            ports = _ports[executor] = Ports(executor)
        return ports


def port_of(session: Any, name: Any, io_kind: Any) -> Port:
    """Return the input or output that a value is to be made for.

    Raises:
        RknnValueError, RknnTypeError: it is not given, or does not exist.
    """
    executor = executor_of(session)
    if executor is None and session is not None:
        raise RknnTypeError(f"session takes an InferenceSession, not {shown(session)}")
    if executor is None or name is None:
        raise RknnValueError(
            "a value on the NPU is made for an input or output of a session: pass session=, name= and "
            "io_kind='input' or 'output'"
        )
    return ports_of(executor).find(name, io_kind)


def tensor_at(address: int) -> DeviceTensor:
    """Return the value on the NPU whose ``data_ptr()`` this is.

    Raises:
        RknnValueError: there is none.
    """
    tensor = _by_address.get(address)
    if tensor is None:
        raise RknnValueError(f"there is no value at {address:#x} on the NPU; pass what its data_ptr() returned")
    return tensor


def parse_layout(layout: Any) -> str:
    """Return ``"session"``, ``"nhwc"`` or ``"nc1hwc2"``.

    Raises:
        RknnValueError: there is no such layout.
    """
    if layout is None:
        return "session"
    if not isinstance(layout, str) or layout.lower() not in _LAYOUTS:
        raise RknnValueError(f"layout={layout!r} is not one of {', '.join(map(repr, _LAYOUTS))}")
    return _LAYOUTS[layout.lower()]


def parse_mem_flags(mem_flags: Any) -> str:
    """Return one of :data:`._runtime.memory.FLAGS`.

    Raises:
        RknnValueError, RknnTypeError: there is no such memory.
    """
    if mem_flags is None:
        return "default"
    if isinstance(mem_flags, str):
        flags = MEM_FLAGS.get(mem_flags.strip().lower())
    else:
        try:
            flags = _MEM_FLAG_NAMES.get(operator.index(mem_flags))
        except TypeError:
            raise RknnTypeError(f"mem_flags takes a name or a number, not {shown(mem_flags)}") from None
    if flags is None:
        names = ", ".join(map(repr, MEM_FLAGS))
        raise RknnValueError(f"mem_flags={mem_flags!r} is not a kind of memory; choose one of {names}, or 0, 1, 2, 4")
    return flags


def _input_forms(direct: Direct, index: int, io: Input, prefers_nhwc: bool) -> dict[Shape, Forms]:
    from .._tensors.value_layout import input_forms  # with a session, it has been imported; without one, it costs

    forms: dict[Shape, Forms] = {}
    for native in (tensors.inputs[index] for tensors in direct.sets):
        for shape, order in _arrays(io, native.attribute.shape):
            if shape not in forms:
                forms[shape] = input_forms(native, shape, order, direct.normalisations[index], prefers_nhwc)
    return forms


def _output_forms(direct: Direct, index: int, io: Output, prefers_nhwc: bool) -> dict[Shape, Forms]:
    from .._tensors.value_layout import output_forms

    forms: dict[Shape, Forms] = {}
    for native in (tensors.outputs[index] for tensors in direct.sets):
        shape = io.for_user(native.attribute.shape)
        forms.setdefault(shape, output_forms(native, shape, io.order(), prefers_nhwc))
    return forms


def _arrays(io: Input, shape: Shape) -> list[tuple[Shape, str]]:
    """Return the shapes and orders of arrays for a tensor of this shape, which is in the runtime's order."""
    if not io.is_image:
        return [(shape, "NCHW")]
    nchw, nhwc = (to_nchw(shape), "NCHW"), (shape, "NHWC")
    return {"nchw": [nchw], "nhwc": [nhwc]}.get(io.layout, [nhwc, nchw])


def _check_size(what: str, size: int, form: Form, name: str) -> None:
    if size < form.tensor.size:
        row = form.tensor.layout.row
        rows = f"; its rows are {row} pixels apart" if row > form.tensor.dims.w else ""
        raise RknnValueError(f"{what} {size} bytes, but {name!r} needs {form.tensor.size} as {form.type}{rows}")
