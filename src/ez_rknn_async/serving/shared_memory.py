# SPDX-License-Identifier: Apache-2.0
"""Regions of POSIX shared memory that clients of the same machine have registered.

They are read and written through their descriptors, not mapped: a client that shortens a region that is mapped here
would kill the server with SIGBUS.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .refusal import INTERNAL, INVALID, NOT_FOUND, UNSUPPORTED, RefusedError, invalid

if TYPE_CHECKING:
    from .request import RegionSlice

_FOLDER = "/dev/shm"
_KEY = re.compile(r"/?([A-Za-z0-9_][A-Za-z0-9_.-]{0,250})")
_MOST = 1024


@dataclass
class _Region:
    name: str
    key: str
    offset: int
    byte_size: int
    descriptor: int
    lock: threading.Lock = field(default_factory=threading.Lock)  # guards the descriptor against its end


class Regions:
    """The registered regions. Thread-safe.

    Args:
        offered: False if clients may not register any.
    """

    def __init__(self, *, offered: bool) -> None:
        self.offered = offered
        self._regions: dict[str, _Region] = {}
        self._lock = threading.Lock()  # guards _regions

    def register(self, name: str, key: Any, offset: Any, byte_size: Any) -> None:
        """Register a region of the shared memory object ``key``.

        Raises:
            RefusedError: shared memory is not offered, the name is taken, or there is no such memory.
        """
        self._check_offered()
        match = _KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None:
            raise invalid("the key must be the name of a shared memory object, such as '/frames'")
        if not (_is_size(offset) and _is_size(byte_size) and byte_size):
            raise invalid("offset and byte_size must be numbers of bytes, and byte_size more than 0")
        descriptor = _opened(match[1], key)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or offset + byte_size > status.st_size:
                raise invalid(f"shared memory {key!r} has {status.st_size} bytes, not {offset} + {byte_size}")
            with self._lock:
                if name in self._regions:
                    raise RefusedError(INVALID, f"region {name!r} is registered already", hint="unregister it first")
                if len(self._regions) >= _MOST:
                    raise RefusedError(INVALID, f"{_MOST} regions are registered; unregister some")
                self._regions[name] = _Region(name, key, offset, byte_size, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def unregister(self, name: str | None) -> None:
        """Forget a region, or all of them; one that is not registered is none of them, as with Triton."""
        self._check_offered()
        with self._lock:
            names = list(self._regions) if name is None else [name]
            gone = [self._regions.pop(each) for each in names if each in self._regions]
        for region in gone:
            with region.lock:
                os.close(region.descriptor)
                region.descriptor = -1

    def status(self, name: str | None = None) -> list[dict[str, Any]]:
        """Return the registered regions, or one of them."""
        self._check_offered()
        with self._lock:
            regions = list(self._regions.values())
        if name is not None:
            regions = [region for region in regions if region.name == name]
            if not regions:
                raise _not_registered(name)
        return [{key: getattr(region, key) for key in ("name", "key", "offset", "byte_size")} for region in regions]

    def read(self, part: RegionSlice) -> memoryview:
        """Return the bytes of a part of a region.

        Raises:
            RefusedError: it is not registered, or not as long.
        """
        region = self._found(part)
        data = bytearray(part.byte_size)
        with region.lock:
            got = os.preadv(_live(region), [data], region.offset + part.offset)
        if got != part.byte_size:
            raise invalid(f"region {part.region!r} has become shorter than it was when it was registered")
        return memoryview(data)

    def write(self, part: RegionSlice, data: memoryview) -> None:
        """Write an output into a part of a region."""
        region = self._found(part)
        if len(data) > part.byte_size:
            raise invalid(f"an output of {len(data)} bytes does not fit into {part.byte_size} of {part.region!r}")
        with region.lock:
            descriptor = _live(region)
            # Otherwise a region that its owner has shortened would grow again.
            if region.offset + part.offset + len(data) > os.fstat(descriptor).st_size:
                raise invalid(f"region {part.region!r} has become shorter than it was when it was registered")
            if os.pwrite(descriptor, data, region.offset + part.offset) != len(data):
                raise RefusedError(INTERNAL, f"region {part.region!r} took only a part of an output")

    def _found(self, part: RegionSlice) -> _Region:
        self._check_offered()
        with self._lock:
            region = self._regions.get(part.region)
        if region is None:
            raise _not_registered(part.region)
        if part.offset + part.byte_size > region.byte_size:
            raise invalid(f"{part.offset} + {part.byte_size} bytes end beyond region {part.region!r}")
        return region

    def _check_offered(self) -> None:
        if not self.offered:
            raise RefusedError(UNSUPPORTED, "shared memory is not offered", hint="start it with --shared-memory")


def _opened(name: str, key: str) -> int:
    try:
        return os.open(os.path.join(_FOLDER, name), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise invalid(f"shared memory {key!r} cannot be opened: {error.strerror}") from None


def _live(region: _Region) -> int:
    if region.descriptor < 0:
        raise _not_registered(region.name)
    return region.descriptor


def _not_registered(name: str) -> RefusedError:
    return RefusedError(NOT_FOUND, f"region {name[:128]!r} is not registered")


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
