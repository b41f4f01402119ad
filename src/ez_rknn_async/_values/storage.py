# SPDX-License-Identifier: Apache-2.0
"""The two kinds of tensors that an ``OrtValue`` holds: an array of the program's, or NPU memory.

Both have the same interface, so that an ``OrtValue`` need not know which of them it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .._messages.shape_advice import Expected, advice
from .._runtime.tensor_attribute import FORMATS
from .._tensors.as_array import as_array
from .._tensors.casting import cast
from .._tensors.nan_warnings import look_at_value
from ..errors import RknnTypeError, RknnValueError
from .usage import Mark, Use

if TYPE_CHECKING:
    import numpy.typing as npt

    from .._tensors.value_layout import Form
    from .npu_memory import DeviceMemory

    Array = npt.NDArray[Any]

CPU, NPU = "cpu", "rknpu2"


class ValueTensor(Protocol):
    """The interface of both kinds."""

    mark: Mark
    device: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays that go in and come out."""

    @property
    def type(self) -> str:
        """The element type, as numpy calls it."""

    @property
    def address(self) -> int:
        """The address of the first byte for the CPU."""

    def read(self, dtype: np.dtype[Any] | None) -> Array:
        """Return a copy as a new array: of that type, or of the tensor's own choice."""

    def write(self, data: Any, *, sync: bool = True) -> None:
        """Overwrite the numbers with those of an array of the same shape."""

    def information(self) -> dict[str, Any]:
        """Describe the tensor's memory."""


class HostTensor:
    """An array in the program's memory."""

    device = CPU

    def __init__(self, array: Array) -> None:
        """Wrap ``array``, which is C-contiguous, in the machine's byte order; it is not copied."""
        self.array = array
        self.mark = Mark("the value")

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.array.shape

    @property
    def type(self) -> str:
        """The array's element type."""
        return str(self.array.dtype.name)

    @property
    def address(self) -> int:
        """The address of the array's first element."""
        return int(self.array.ctypes.data)

    def read(self, dtype: np.dtype[Any] | None) -> Array:
        """Return a copy; see :meth:`ValueTensor.read`."""
        with self.mark.held(Use.READ):
            return self.array.astype(dtype or self.array.dtype, copy=True)

    def write(self, data: Any, *, sync: bool = True) -> None:
        """Overwrite the array with another one of the same shape and type."""
        array = as_array(data, "np_arr", "the argument")
        if array.shape != self.array.shape or array.dtype != self.array.dtype:
            raise RknnValueError(
                f"the value is of type {self.array.dtype} and shape {list(self.array.shape)}, but what it is to be "
                f"updated with is of type {array.dtype} and shape {list(array.shape)}" + self._advice(array)
            )
        if not self.array.flags.writeable:
            raise RknnValueError("the value shares the memory of a read-only array and cannot be updated in place")
        with self.mark.held(Use.WRITTEN):
            self.array[...] = array

    def _advice(self, array: Array) -> str:
        if array.shape == self.array.shape:
            return f"; pass array.astype(numpy.{self.type})"
        return advice(array.shape, [Expected(self.array.shape)])

    def information(self) -> dict[str, Any]:
        """Describe the array's memory."""
        return {"device_type": CPU, "device_id": 0}


class DeviceTensor:
    """A tensor in NPU memory.

    Attributes:
        memory: the memory; it may be larger than the tensor.
        form: the meaning of its bytes. This never changes, whatever the tensor is bound to.
        name: of the input or output that it was made for.
    """

    device = NPU

    def __init__(self, memory: DeviceMemory, form: Form, name: str, *, native: bool = False) -> None:
        """Describe the tensor; ``native``: read it as it is in memory, unless asked otherwise."""
        self.memory = memory
        self.form = form
        self.name = name
        self.mark = Mark(f"the value of {name!r}")
        self._dtype = np.dtype(form.type) if native else form.real_dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that users of the session know."""
        return self.form.shape

    @property
    def type(self) -> str:
        """The element type inside the NPU."""
        return self.form.type

    @property
    def address(self) -> int:
        """The address where the first byte is mapped for the CPU."""
        return self.memory.origin.address

    def read(self, dtype: np.dtype[Any] | None) -> Array:
        """Return the tensor's real numbers as float32, or the memory's content as its own type.

        Raises:
            RknnInUseError: an inference under way uses it.
            RknnValueError: it cannot be read as that type.
        """
        dtype = dtype or self._dtype
        if dtype not in (self.form.real_dtype, np.dtype(self.type)):
            raise RknnValueError(
                f"{self.mark.name} is {self.type} and can be read as {self.form.real_dtype} or {self.type}, not {dtype}"
            )
        result = np.empty(self.shape, dtype)
        with self.mark.held(Use.READ):
            self.sync_from_device()
            self.form.reading(dtype).convert(self.memory.origin.view(), result)
        if dtype != np.dtype(self.type) or dtype == np.float32:
            self.form.denormalise(result)
        return result

    def write(self, data: Any, *, sync: bool = True) -> None:
        """Convert an array into the memory: floats are quantised, integers of the tensor's own type copied.

        Raises:
            RknnInUseError: an inference under way uses it.
            RknnValueError, RknnTypeError: the array does not fit.
        """
        array = as_array(data, self.name)
        if array.shape != self.shape:
            raise RknnValueError(
                f"{self.mark.name} has shape {list(self.shape)}, but the array has {list(array.shape)}"
                + advice(array.shape, [self.form.expected])
            )
        with self.mark.held(Use.WRITTEN):
            array = self.prepared(array)
            conversion = self.form.writing(array.dtype, self.form.order)
            conversion.convert(array, self.memory.origin.view())
            if sync:
                self.sync_to_device()
        look_at_value(conversion)

    def prepared(self, array: Array) -> Array:
        """Return the array as the conversion kernels take it: C-contiguous, of a type that they convert."""
        if array.dtype != np.dtype(self.type):
            array = cast(array, self.form.tensor.attribute.type, self.name)
        return np.ascontiguousarray(array).reshape(array.shape)

    def sync_to_device(self) -> None:
        """Make what the CPU wrote visible to the NPU."""
        if self.memory.needs_sync:
            self.memory.origin.to_device()

    def sync_from_device(self) -> None:
        """Make what the NPU wrote visible to the CPU."""
        if self.memory.needs_sync:
            self.memory.origin.from_device()

    def information(self) -> dict[str, Any]:
        """Describe the tensor's memory; see :meth:`OrtValue.memory_info`."""
        origin, tensor = self.memory.origin, self.form.tensor
        row = tensor.layout.row if tensor.layout.format == "NHWC" else 0
        return {
            "device_type": NPU,
            "device_id": 0,
            "size": self.memory.size,
            "fd": origin.fd,
            "offset": origin.offset,
            "virt_addr": origin.address - origin.offset,
            "import_count": self.memory.import_count,
            "dmabuf_backed": origin.fd >= 0,
            "attr_size": tensor.bound.size,
            "size_with_stride": tensor.size,
            "aligned_size": tensor.size,
            "w_stride": row,
            "h_stride": tensor.dims.h if row else 0,
            "fmt": FORMATS.index(tensor.bound.format),
            "pass_through": int(tensor.bound.pass_through),
            "core_id": -1,
            "layout": tensor.layout.format if tensor.is_image else "UNDEFINED",
            "shape": list(tensor.bound.shape),
            "strides": list(tensor.strides),
            "element_type": self.type,
            "scale": self.form.scale,
            "zero_point": self.form.zero_point,
        }


def host_tensor(data: Any) -> HostTensor:
    """Return an array, or what can be made one, as a tensor; it is copied only if it is not dense.

    Raises:
        RknnTypeError: it holds no real numbers.
    """
    array = as_array(data, "numpy_obj", "the argument")
    if array.dtype.hasobject:
        raise RknnTypeError("an OrtValue holds numbers")
    dense = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return HostTensor(dense.reshape(array.shape))
