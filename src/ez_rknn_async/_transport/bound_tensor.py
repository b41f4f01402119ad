"""One input or output that has memory in the context of every worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .._runtime.abi import ffi
from .._runtime.context import describe
from .._runtime.memory import FLAGS, Memory
from .._tensors.npu_layout import raw_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._runtime.context import Context
    from .._runtime.kernels import Conversion
    from .._tensors.npu_layout import NativeTensor


@dataclass(frozen=True, eq=False)
class Binding:
    """One way of being bound: what the runtime is told about the memory.

    Attributes:
        native: how the tensor then lies in the memory.
        number: never used for another; a worker binds only what is not the last that it bound.
        attribute: the ``rknn_tensor_attr *``.
        raw: the same memory bound for pixels that the NPU converts itself, where there is that.
    """

    native: NativeTensor
    number: int
    attribute: Any
    raw: Binding | None = None

    @classmethod
    def of(cls, native: NativeTensor, numbers: Iterator[int]) -> Binding:
        """A new one, and its variant for raw pixels."""
        pixels = raw_image(native)
        raw = None if pixels is None else cls(pixels, next(numbers), describe([pixels.bound]))
        return cls(native, next(numbers), describe([native.bound]), raw)


class Way(NamedTuple):
    """What a task needs to know of a tensor besides the array; its request owns it."""

    attribute: Any  # rknn_tensor_attr *
    memories: Any  # rknn_tensor_mem *[], by index of worker
    binding: int
    conversion: Conversion
    sync: bool


class BoundTensor:
    """The memory of one tensor, large enough for each of its shapes.

    Attributes:
        bindings: one for each set of shapes.
        memories: one for each worker, in its context.
    """

    def __init__(
        self, natives: Sequence[NativeTensor], contexts: Sequence[Context], flags: int, numbers: Iterator[int]
    ) -> None:
        """Allocate it.

        Args:
            natives: the tensor in each set of shapes.
            contexts: of the workers. The memory is freed with them.
            flags: of the memory.
            numbers: for the bindings.
        """
        self.bindings = [Binding.of(native, numbers) for native in natives]
        self._size = max(native.size for native in natives)
        self._flags = flags
        self.memories = [self._allocate(context) for context in contexts]
        self._structures = ffi.new("rknn_tensor_mem *[]", [memory.structure for memory in self.memories])

    def replace(self, worker: int, context: Context) -> None:
        """Use memory of another context for a worker; what it had is freed with its old one."""
        if self.memories[worker].context is not context:
            self.memories[worker] = self._allocate(context)
            self._structures[worker] = self.memories[worker].structure

    def way(self, binding: Binding, conversion: Conversion) -> Way:
        """How an array gets into the memory, or out of it."""
        # Memory without a cache needs no synchronisation.
        sync = self._flags != FLAGS["non_cacheable"]
        return Way(binding.attribute, self._structures, binding.number, conversion, sync)

    def _allocate(self, context: Context) -> Memory:
        return Memory.allocate(context, self._size, self._flags)
