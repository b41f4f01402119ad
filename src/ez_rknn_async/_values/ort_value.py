# SPDX-License-Identifier: Apache-2.0
"""``OrtValue``: a tensor in the program's memory or in the NPU's."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._host.process_bound import never_raising, refuse_copy
from .._messages.wording import shown
from .._running.retry import retried_for_session
from .._tensors.as_array import as_array
from .._tensors.dlpack import widened
from .._tensors.element_types import ElementType, parse_dtype
from ..errors import RknnError, RknnTypeError, RknnValueError
from .ports import parse_layout, parse_mem_flags, port_of
from .storage import CPU, NPU, DeviceTensor, HostTensor, host_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .storage import ValueTensor

    Array = npt.NDArray[Any]

# The names that users may give a device. Programs for GPUs say "cuda"; such values are in the program's memory.
_DEVICES = {"cpu": CPU, "cuda": CPU, "rknpu2": NPU, "rknn": NPU, "npu": NPU}


class OrtValue:
    """A tensor on the CPU, or in memory that the NPU reads and writes without a copy; made by the class methods.

    The numbers of a device value are the model's: of an input, what ``run()`` would be fed (before the normalisation
    that the file asks for); of an output, what ``run()`` would return. Integers of the tensor's own type are taken and
    given as they are in memory.

    A value on the NPU belongs to one input or output of a session, but fits any other with the same memory layout. It
    may outlive its session, and keeps the NPU's memory until it is dropped. Any other use while an inference uses it
    raises :class:`RknnInUseError`.
    """

    def __init__(self, tensor: ValueTensor) -> None:
        """Wrap a tensor: for the package's own use; see :meth:`ortvalue_from_numpy` and the other class methods."""
        if not isinstance(tensor, (HostTensor, DeviceTensor)):
            raise RknnTypeError("make an OrtValue with OrtValue.ortvalue_from_numpy() or another class method")
        self._tensor: HostTensor | DeviceTensor = tensor

    @never_raising
    def __repr__(self) -> str:
        return f"<OrtValue {self.data_type()} {self.shape()} on {self.device_name()}>"

    def __reduce__(self) -> Any:
        if isinstance(self._tensor, HostTensor):
            return type(self).ortvalue_from_numpy, (self.numpy("native"),)
        refuse_copy(self)

    # ---- Making one ----

    @classmethod
    @retried_for_session
    def ortvalue_from_numpy(
        cls,
        numpy_obj: Any,
        device_type: str = "cpu",
        device_id: int = 0,
        vendor_id: int = -1,
        *,
        name: str | None = None,
        session: Any = None,
        io_kind: str | None = None,
        layout: str = "onnx",
        sync: bool = True,
    ) -> OrtValue:
        """Make a value with the numbers of an array.

        Args:
            numpy_obj: any array of real numbers. On the CPU its memory is shared where it is C-contiguous; on the NPU
                it is converted: floats are quantised as ``run()`` would, uint8 images stay pixels.
            device_type: ``"cpu"``, or ``"rknpu2"`` (also ``"npu"``).
            device_id: 0.
            vendor_id: ignored.
            name: on the NPU, that of the input or output that it is for.
            session: its session.
            io_kind: ``"input"`` or ``"output"``; may be left out where the name is unique.
            layout: of the memory: ``"onnx"`` (as ``zero_copy_layout`` says), ``"nhwc"`` or ``"nc1hwc2"``.
            sync: make the numbers visible to the NPU at once. Every run does so anyway.

        Raises:
            RknnValueError, RknnTypeError: the array or another argument does not fit.
            RknnClosedError: the session is closed.
            RknnDeviceError: the NPU has no memory left.
        """
        if parse_device(device_type, device_id) == CPU:
            return cls(host_tensor(numpy_obj))
        port = port_of(session, name, io_kind)
        array = as_array(numpy_obj, port.name)
        tensor = port.allocate_for(array, parse_layout(layout))
        tensor.write(array, sync=sync)
        return cls(tensor)

    @classmethod
    def ortvalue_from_numpy_with_onnx_type(cls, data: Any, onnx_element_type: int) -> OrtValue:
        """Make a value on the CPU whose type is given by ONNX's number; the array's memory is shared.

        Numbers of bfloat16 (16, given as uint16) are copied to float32, which is exact: numpy has no such type.

        Raises:
            RknnValueError: the array's elements have another size.
        """
        tensor = host_tensor(data)
        if onnx_element_type == ElementType.of("bfloat16") and tensor.type == "uint16":
            return cls(HostTensor(widened(tensor.array)))
        dtype = parse_dtype(onnx_element_type)
        if dtype.itemsize != tensor.array.itemsize:
            raise RknnValueError(f"an array of {tensor.type} cannot be read as {dtype}: their elements differ in size")
        return cls(HostTensor(tensor.array.view(dtype)))

    @classmethod
    @retried_for_session
    def ortvalue_from_shape_and_type(
        cls,
        shape: Sequence[int],
        element_type: Any = None,
        device_type: str = "cpu",
        device_id: int = 0,
        vendor_id: int = -1,
        memory_info: Any = None,
        *,
        name: str | None = None,
        session: Any = None,
        io_kind: str | None = None,
        layout: str = "native",
        mem_flags: str | int | None = "cacheable",
    ) -> OrtValue:
        """Make a value of zeros on the CPU, or with room for a tensor on the NPU.

        Args:
            shape: of the tensor; on the NPU one that the input or output can have, in the session's order.
            element_type: a numpy type, or ONNX's number or name for it. On the NPU: the tensor's own, float32 (its real
                numbers), or uint8 for an image's raw pixels; None: its own.
            device_type: as for :meth:`ortvalue_from_numpy`, and so are the next five.
            device_id: 0.
            vendor_id: ignored.
            name: of the input or output that it is for.
            session: its session.
            io_kind: ``"input"`` or ``"output"``.
            memory_info: ignored.
            layout: of the memory: ``"native"`` (as ``zero_copy_layout`` says), ``"nhwc"`` or ``"nc1hwc2"``.
            mem_flags: ``"cacheable"``, ``"non_cacheable"`` (the CPU reads it slowly, and nothing is synchronised) or
                ``"try_sram"`` (in the SoC's SRAM if there is room), or the sum of their numbers.

        Raises: as :meth:`ortvalue_from_numpy`.
        """
        extents, device = parse_shape(shape), parse_device(device_type, device_id)
        dtype = None if element_type is None else parse_dtype(element_type)
        if device == CPU:
            return cls(HostTensor(np.zeros(extents, dtype or np.float32)))
        flags = parse_mem_flags(mem_flags)
        port = port_of(session, name, io_kind)
        return cls(port.allocate(extents, dtype, parse_layout(layout), flags))

    @classmethod
    @retried_for_session
    def ortvalue_from_dmabuf(
        cls,
        fd: int,
        shape: Sequence[int],
        element_type: Any,
        *,
        size: int,
        offset: int = 0,
        virt_addr: int | None = None,
        session: Any = None,
        name: str | None = None,
        io_kind: str | None = None,
        layout: str = "native",
    ) -> OrtValue:
        """Make a value in memory that already exists: a camera's, a decoder's, another device's.

        Args:
            fd: a file descriptor of the memory (a dma-buf, a memfd); it may be closed afterwards.
            shape: as for :meth:`ortvalue_from_shape_and_type`.
            element_type: as there.
            size: the bytes of it that belong to the tensor.
            offset: the first of them.
            virt_addr: the address where the program has mapped it; not needed, as the value maps it itself.
            session: the session of the input or output that it is for; see :meth:`ortvalue_from_numpy`.
            name: its name.
            io_kind: ``"input"`` or ``"output"``.
            layout: as for :meth:`ortvalue_from_shape_and_type`.

        Raises:
            RknnValueError: the memory is smaller than said, or than the tensor (rows may be longer than the image is
                wide: see ``memory_info()``); or it cannot be mapped.
        """
        extents, dtype = parse_shape(shape), None if element_type is None else parse_dtype(element_type)
        numbers = {"fd": fd, "size": size, "offset": offset}
        fd, size, offset = (_natural(name, number) for name, number in numbers.items())
        port = port_of(session, name, io_kind)
        return cls(port.import_fd(extents, dtype, parse_layout(layout), fd, size, offset))

    @classmethod
    def from_dlpack(cls, data: Any) -> OrtValue:
        """Make a value on the CPU that shares the memory of another library's tensor."""
        return cls(host_tensor(data))

    # ---- The numbers ----

    def numpy(self, dtype: Any = None) -> Array:
        """Return a copy of the numbers, as a new C-contiguous array.

        Args:
            dtype: ``"native"`` for the element type in memory, or a type. None: of a value on the NPU float32 (but
                integers without quantisation as they are), or native for sessions with ``output_dtype="native"``.

        Raises:
            RknnInUseError: an inference under way uses the value.
        """
        if isinstance(dtype, str) and dtype == "native":
            dtype = self._tensor.type
        return self._tensor.read(None if dtype is None else parse_dtype(dtype))

    def update_inplace(self, np_arr: Any) -> None:
        """Overwrite the numbers.

        Args:
            np_arr: an array of the value's shape; on the CPU of its type, on the NPU of any that ``run()`` takes.

        Raises:
            RknnInUseError: an inference under way uses the value.
            RknnValueError: shape or type do not fit.
        """
        self._tensor.write(np_arr)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False and not (isinstance(self._tensor, HostTensor) and dtype in (None, self._tensor.array.dtype)):
            raise ValueError("the numbers of this OrtValue cannot be read without a copy")
        if isinstance(self._tensor, HostTensor) and not copy:
            return np.asarray(self._tensor.array, dtype)
        return self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)

    def __dlpack__(self, **kwargs: Any) -> Any:
        return np.asarray(self).__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU: what is on the NPU is handed on as a copy

    # ---- Description ----

    def shape(self) -> list[int]:
        """Return the shape of the arrays that go in and come out."""
        return list(self._tensor.shape)

    def element_type(self) -> ElementType:
        """Return ONNX's number of the element type, such as 1, which also equals its name (``"tensor(float)"``)."""
        return ElementType.of(self._tensor.type)

    def data_type(self) -> str:
        """Return ONNX's name of the element type, such as ``"tensor(int8)"``."""
        return str(self.element_type())

    def device_name(self) -> str:
        """Return ``"cpu"`` or ``"rknpu2"``."""
        return self._tensor.device

    def device_type(self) -> str:
        """Return the same as :meth:`device_name`."""
        return self._tensor.device

    def device_id(self) -> int:
        """Return 0."""
        return 0

    def data_ptr(self) -> int:
        """Return the address of the first byte for the CPU; :meth:`memory_info` describes the layout.

        Call :meth:`sync_to_device` after writing there, and :meth:`sync_from_device` before reading.
        """
        return self._tensor.address

    def tensor_size_in_bytes(self) -> int:
        """Return the bytes of a dense array of the value's shape and type."""
        return int(np.prod(self._tensor.shape)) * np.dtype(self._tensor.type).itemsize

    def memory_info(self) -> dict[str, Any]:
        """Describe the tensor's memory.

        On the CPU ``device_type`` and ``device_id``; on the NPU also ``size``, ``fd``, ``offset``, ``virt_addr``,
        ``import_count`` (contexts that imported the memory), ``dmabuf_backed``, the layout (``layout``, ``fmt`` as the
        runtime numbers it, ``shape`` and ``strides`` in bytes in that layout, ``w_stride`` and ``h_stride`` in pixels,
        ``attr_size``, ``size_with_stride``, ``aligned_size``, ``pass_through``), ``element_type``, and the quantisation
        (``scale``, ``zero_point``: real = (integer - zero_point) * scale).
        """
        return self._tensor.information()

    def is_tensor(self) -> bool:
        """Return True."""
        return True

    def has_value(self) -> bool:
        """Return True."""
        return True

    def is_sparse_tensor(self) -> bool:
        """Return False."""
        return False

    def is_tensor_sequence(self) -> bool:
        """Return False."""
        return False

    def as_sparse_tensor(self) -> Any:
        """Raise an error: values are dense.

        Raises:
            RknnError: always.
        """
        raise RknnError("this OrtValue is a dense tensor")

    # ---- Caches ----

    def sync_to_device(self) -> None:
        """Make what was written to :meth:`data_ptr` visible to the NPU. Does nothing for a value on the CPU."""
        if isinstance(self._tensor, DeviceTensor):
            self._tensor.sync_to_device()

    def sync_from_device(self) -> None:
        """Make what another device wrote visible at :meth:`data_ptr`. Does nothing for a value on the CPU."""
        if isinstance(self._tensor, DeviceTensor):
            self._tensor.sync_from_device()


def tensor_of(value: Any, argument: str) -> HostTensor | DeviceTensor:
    """Return the tensor that an ``OrtValue`` holds.

    Raises:
        RknnTypeError: it is not an ``OrtValue``.
    """
    if not isinstance(value, OrtValue):
        raise RknnTypeError(
            f"{argument} takes an OrtValue, not {type(value).__name__}; make one with OrtValue.ortvalue_from_numpy()"
        )
    return value._tensor


def parse_device(device_type: Any, device_id: Any) -> str:
    """Return ``"cpu"`` or ``"rknpu2"``.

    Raises:
        RknnValueError, RknnTypeError: there is no such device.
    """
    if not isinstance(device_type, str):
        raise RknnTypeError(f"device_type takes a string, not {shown(device_type)}; 'cpu' or 'rknpu2'")
    device = _DEVICES.get(device_type.lower())
    if device is None:
        raise RknnValueError(f"there is no device {device_type!r}; values live on 'cpu' or on 'rknpu2'")
    if device_id != 0:
        raise RknnValueError(f"device_id={device_id!r}: there is one NPU, with device_id 0; cores are the session's")
    return device


def parse_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of integers.

    Raises:
        RknnValueError, RknnTypeError: it is not a shape.
    """
    try:
        extents = tuple(operator.index(extent) for extent in shape)
    except TypeError:
        raise RknnTypeError(f"shape takes a sequence of integers, not {shown(shape)}") from None
    if any(extent < 0 for extent in extents):
        raise RknnValueError(f"shape {list(extents)} has a negative extent")
    return extents


def _natural(name: str, number: Any) -> int:
    try:
        value = operator.index(number)
    except TypeError:
        raise RknnTypeError(f"{name} takes an integer, not {shown(number)}") from None
    if value < 0:
        raise RknnValueError(f"{name}={value} must not be negative")
    return value
