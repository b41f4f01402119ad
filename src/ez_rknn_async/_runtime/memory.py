# SPDX-License-Identifier: Apache-2.0
"""Memory that both the program and the NPU can reach.

A :class:`Memory` belongs to one context: it is allocated by the runtime (:meth:`Memory.allocate`), or imported from
another owner's file descriptor, usually a dma-buf (:meth:`Memory.from_fd`), or from another context
(:meth:`Memory.shared`). It is given back exactly once: by :meth:`Memory.free`, or with its context, whichever comes
first; afterwards it refuses to be used. Memory that ``stays`` is given back by :meth:`Memory.free` alone, and its
context waits for that. Freeing never waits for another thread, so that a finalizer may do it.

CPU caches stand between the program and the NPU. After writing, call :meth:`Memory.to_device` before the NPU reads, and
call :meth:`Memory.from_device` before reading what the NPU wrote; runtimes older than 2.0 have no such call, and
synchronise in every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._messages.wording import option
from ..errors import RknnClosedError, RknnDeviceError, RknnValueError
from .abi import ffi
from .mapping import mapping_of
from .tensor_attribute import describe

if TYPE_CHECKING:
    from .context import Context
    from .library import Library
    from .mapping import Mapping
    from .tensor_attribute import TensorAttribute

# The flags of rknn_create_mem2, by the names that users know.
FLAGS = {"default": 0, "cacheable": 1, "non_cacheable": 2, "try_sram": 4}
# The kinds that rknn_create_mem gives, too.
_ORDINARY = (FLAGS["default"], FLAGS["cacheable"])

TO_DEVICE, FROM_DEVICE = 1, 2  # rknn_mem_sync_mode


class Memory:
    """A piece of memory that one context's NPU can reach.

    Attributes:
        context: the context that it belongs to.
        size: its bytes.
    """

    def __init__(self, context: Context, structure: Any, size: int, mapping: Mapping | None = None) -> None:
        """Use :meth:`allocate`, :meth:`from_fd` or :meth:`shared`; the context is held for this memory."""
        self.context = context
        self.size = size
        self._structures = [structure]  # taken out by the call that gives the memory back
        self._mapping = mapping  # kept for as long as the runtime knows its address

    @classmethod
    def allocate(cls, context: Context, size: int, flags: int = FLAGS["default"], *, stays: bool = False) -> Memory:
        """Allocate memory.

        Args:
            context: the context that is to use it.
            size: in bytes.
            flags: one of :data:`FLAGS`.
            stays: True if it outlives :meth:`.Context.destroy`.

        Raises:
            RknnClosedError: the context was destroyed.
            RknnDeviceError: there is none left.
            RknnValueError: this runtime has no such memory.
        """
        library, call = context.library, "rknn_create_mem2"
        arguments: tuple[int, ...] = (size, flags)
        if not library.has(call):
            check_flags(library, flags)
            call, arguments = "rknn_create_mem", (size,)
        with context.held():
            structure = library.invoke(call, context.handle, *arguments)
            memory = cls(context, _given(library, structure, call, f"{size} bytes"), size)
        return memory if stays else context.adopt(memory)

    @classmethod
    def from_fd(cls, context: Context, fd: int, size: int, offset: int = 0, *, stays: bool = False) -> Memory:
        """Import the memory of a file descriptor, such as a camera's dma-buf; nothing is copied.

        Args:
            context: the context that is to use it.
            fd: the descriptor; it may be closed afterwards.
            size: the bytes of it to use.
            offset: the first of them.
            stays: True if it outlives :meth:`.Context.destroy`.

        Raises:
            RknnClosedError: the context was destroyed.
            RknnValueError: the descriptor is invalid, has fewer bytes, or cannot be mapped for reading and writing.
            RknnDeviceError: the runtime refuses it.
        """
        mapping = mapping_of(fd, size, offset)
        what = f"{size} bytes at {offset} of file descriptor {fd}"
        with context.held():
            structure = _from_fd(context, mapping.fd, mapping.address, size, offset, what)
            memory = cls(context, structure, size, mapping)
        return memory if stays else context.adopt(memory)

    @classmethod
    def shared(cls, context: Context, other: Memory) -> Memory:
        """Import the memory of another context of the process; nothing is mapped or copied.

        Args:
            context: the context that is to use it, too.
            other: the memory in the other context; to be freed after this one.

        Raises:
            RknnClosedError: the context was destroyed.
            RknnDeviceError: the runtime refuses it.
        """
        theirs, what = other.structure, f"{other.size} bytes of another context's"
        # At the same address: a runtime imports memory once more for each new address, and 1.5.2 then gives the
        # driver's only handle of it back once for each import.
        with context.held():
            structure = _from_fd(context, theirs.fd, theirs.virt_addr, other.size, theirs.offset, what)
            memory = cls(context, structure, other.size)
        return context.adopt(memory)

    @property
    def structure(self) -> Any:
        """The ``rknn_tensor_mem *`` that the runtime knows it by.

        Raises:
            RknnClosedError: it was given back, or its context was.
        """
        for structure in self._structures:
            return structure
        raise RknnClosedError("this NPU memory was given back, with its session or on its own")

    @property
    def is_free(self) -> bool:
        """True if it was given back."""
        return not self._structures

    @property
    def address(self) -> int:
        """The address of its first byte for the CPU."""
        structure = self.structure
        return int(ffi.cast("uintptr_t", structure.virt_addr)) + int(structure.offset)

    @property
    def fd(self) -> int:
        """The descriptor by which others can import it, or -1."""
        return int(self.structure.fd)

    @property
    def offset(self) -> int:
        """The offset of its first byte in the descriptor's memory."""
        return int(self.structure.offset)

    def view(self) -> memoryview:
        """Return its bytes, writable. Not to be touched once the memory was given back."""
        return memoryview(ffi.buffer(ffi.cast("char *", self.address), self.size))

    def bind(self, attribute: TensorAttribute) -> None:
        """Bind an input or output of its context, found by its name, to this memory as the attribute says."""
        self.context.library.call("rknn_set_io_mem", self.context.handle, self.structure, describe([attribute]))

    def to_device(self) -> None:
        """Make what the CPU wrote visible to the NPU."""
        self._sync(TO_DEVICE)

    def from_device(self) -> None:
        """Make what the NPU wrote visible to the CPU."""
        self._sync(FROM_DEVICE)

    def free(self) -> None:
        """Give it back, unless that has happened. No task may be using it."""
        try:
            structure = self._structures.pop()
        except IndexError:
            return
        try:
            self.context.library.invoke("rknn_destroy_mem", self.context.handle, structure)
        finally:
            self._mapping = None
            self.context.disown(self)
            self.context.let_go()

    def _sync(self, mode: int) -> None:
        structure, library = self.structure, self.context.library
        if library.has("rknn_mem_sync"):
            library.call("rknn_mem_sync", self.context.handle, structure, mode)


def check_flags(library: Library, flags: int) -> None:
    """Check that a runtime has memory of this kind.

    Raises:
        RknnValueError: it has not.
    """
    if flags not in _ORDINARY and not library.has("rknn_create_mem2"):
        name = next(name for name, value in FLAGS.items() if value == flags)
        raise RknnValueError(
            f"{option('mem_flags', name)} needs a runtime that has rknn_create_mem2, and {library.path} has not; "
            f"update the runtime, or leave {option('mem_flags')} out"
        )


def _from_fd(context: Context, fd: int, address: Any, size: int, offset: int, what: str) -> Any:
    structure = context.library.invoke("rknn_create_mem_from_fd", context.handle, fd, address, size, offset)
    return _given(context.library, structure, "rknn_create_mem_from_fd", what)


def _given(library: Library, structure: Any, call: str, what: str) -> Any:
    """Return the memory that a function gave; raise for NULL, with which it fails."""
    if structure != ffi.NULL:
        return structure
    reason = library.last_error()
    raise RknnDeviceError(
        f"{call} gave no NPU memory ({what})" + (f": {reason}" if reason else ""),
        call=call,
        hint=None if reason else "close other sessions; the kernel log (dmesg) may say what the NPU's driver refused",
    )
