# SPDX-License-Identifier: Apache-2.0
"""Another owner's memory, such as a camera's or a decoder's, mapped into the process.

A buffer is mapped once in a process, whole, however many contexts and values use it. Runtimes identify imported memory
by its address: librknnrt 1.5.2 imports a buffer once for each address, and gives the driver's only handle of the buffer
back with the first of them. The NPU could then no longer reach it.
"""

from __future__ import annotations

import mmap
import os
import stat
import weakref

from .._host import greenlets
from ..errors import RknnValueError
from .abi import ffi


class Mapping:
    """A whole buffer, mapped for as long as this object is referred to.

    Attributes:
        fd: a descriptor of its own: the runtime keeps descriptor, address and offset as they are, without a duplicate.
        address: the first byte, as a cffi buffer.
        length: its size in bytes.
    """

    def __init__(self, fd: int, length: int) -> None:
        """Map the buffer.

        Raises:
            OSError: it cannot be mapped for reading and writing.
        """
        self.length = length
        self.address = ffi.from_buffer(mmap.mmap(fd, length), require_writable=True)
        self.fd = os.dup(fd)
        weakref.finalize(self, os.close, self.fd).atexit = False


_lock = greenlets.lock()  # two threads must not map one buffer twice
# By device and inode, which no other buffer has while it is mapped.
_mappings: weakref.WeakValueDictionary[tuple[int, int], Mapping] = weakref.WeakValueDictionary()


def mapping_of(fd: int, size: int, offset: int) -> Mapping:
    """Return the mapping of a descriptor's buffer; the descriptor may be closed afterwards.

    Args:
        fd: the descriptor.
        size, offset: the bytes wanted.

    Raises:
        RknnValueError: there are no such bytes, or they cannot be mapped for reading and writing.
    """
    if size <= 0 or offset < 0:
        raise RknnValueError(f"size={size} must be above 0 bytes, and offset={offset} must not be negative")
    try:
        status, length = os.fstat(fd), _length(fd)
        if length < offset + size:
            raise RknnValueError(
                f"file descriptor {fd} has {length} bytes, but {size} at offset {offset} are asked for"
            )
        if not _has_inode(fd):
            return Mapping(fd, length)
        key = (status.st_dev, status.st_ino)
        with _lock:
            known = _mappings.get(key)
            if known is None or known.length < offset + size:  # the file may have grown since
                known = _mappings[key] = Mapping(fd, length)
            return known
    except OSError as error:
        raise RknnValueError(
            f"file descriptor {fd} is not memory that can be read and written: {error.strerror}"
        ) from None


def _length(fd: int) -> int:
    status = os.fstat(fd)
    # A dma-buf is not a regular file, and gives its size only by a seek to its end.
    return status.st_size if stat.S_ISREG(status.st_mode) else os.lseek(fd, 0, os.SEEK_END)


def _has_inode(fd: int) -> bool:
    # Before Linux 5.3 all dma-bufs had the same one.
    return not os.readlink(f"/proc/self/fd/{fd}").startswith("anon_inode:")
