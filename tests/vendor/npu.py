# SPDX-License-Identifier: Apache-2.0
"""The faked NPU, as a test sees it: its memory, and its submissions.

The vendor's library believes that it talks to the kernel's driver. In place of the hardware's computation, a
*submission* arrives here: the commands hold the addresses that the NPU would read and write, and a test looks at the
one and plants numbers at the other.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cffi
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

# One record of a task list: the commands are `amount` words at address + offset.
_TASK = np.dtype(
    [
        ("flags", "<u4"),
        ("node", "<u4"),
        ("enable_mask", "<u4"),
        ("interrupt_mask", "<u4"),
        ("interrupt_clear", "<u4"),
        ("interrupt_status", "<u4"),
        ("amount", "<u4"),
        ("offset", "<u4"),
        ("address", "<u8"),
    ]
)
# Registers that hold addresses: those that the NPU reads (convolution core, DPU's and PPU's readers), and writes.
SOURCES = (0x1070, 0x5018, 0x5038, 0x701C)
DESTINATIONS = (0x4020, 0x6070)


@dataclass(frozen=True)
class Memory:
    """One allocation. ``bytes`` is the memory itself, uint8 [size], not a copy."""

    handle: int
    address: int
    imported: bool
    bytes: np.ndarray = field(repr=False)  # of memory that may be gone when a report is written

    def __contains__(self, address: int) -> bool:
        return self.address <= address < self.address + len(self.bytes)


@dataclass(frozen=True)
class Submission:
    """One submission: its core, its tasks, for each core too, and their register commands.

    ``registers`` has, by the task's number in the model's list, the values that the commands write into each register;
    ``commands`` are their addresses. ``subcores`` is ``((start, number), ...)``, five of them.
    """

    flags: int
    core_mask: int
    tasks: tuple[int, int]
    subcores: tuple[tuple[int, int], ...]
    registers: dict[int, dict[int, int]]
    commands: tuple[int, ...]
    memories: tuple[Memory, ...]

    def addresses(self, registers: tuple[int, ...]) -> list[int]:
        """Return the addresses that the commands write into ``registers``, each once, in their order."""
        found = [task[r] for task in self.registers.values() for r in registers if r in task]
        return [address for address in dict.fromkeys(found) if self.is_memory(address)]

    def is_memory(self, address: int) -> bool:
        """True if there is memory at an address."""
        return any(address in memory for memory in self.memories)

    def is_beside_commands(self, address: int) -> bool:
        """True if the commands are in the same memory; the weights are there too."""
        return any(address in memory and command in memory for memory in self.memories for command in self.commands)

    def at(self, address: int, size: int) -> np.ndarray:
        """Return the ``size`` bytes at an address of the NPU's, uint8, not a copy."""
        for memory in self.memories:
            if address in memory:
                return memory.bytes[address - memory.address :][:size]
        raise LookupError(f"no memory at {address:#x}")


class FakeNpu:
    """The driver that was loaded before the C library.

    Attributes:
        submissions: all that came since the last :meth:`forget`.
    """

    def __init__(self, library: Path, header: Path) -> None:
        self._ffi: Any = cffi.FFI()
        text = header.read_text(encoding="utf-8")
        self._ffi.cdef(text.split("/* cffi: begin */", 1)[1].split("/* cffi: end */", 1)[0])
        self._lib = self._ffi.dlopen(str(library))
        self._lock = threading.Lock()
        self._answer: Callable[[Submission], int | None] | None = None
        self.submissions: list[Submission] = []
        # Kept: the driver calls it as long as the process lives.
        self._callback = self._ffi.callback("fake_npu_submit_callback", self._submitted, error=5)
        self._lib.fake_npu_on_submit(self._callback)

    def forget(self) -> None:
        """Forget past submissions, and the answer to the next one."""
        with self._lock:
            self.submissions.clear()
            self._answer = None

    def compute(self, answer: Callable[[Submission], int | None]) -> None:
        """Call ``answer`` for each submission, on the thread that submits; an errno that it returns is its failure."""
        with self._lock:
            self._answer = answer

    def count(self, ioctl: str) -> int:
        """Return how often an ioctl was used since the process began."""
        return int(self._lib.fake_npu_count(ioctl.encode()))

    def memories(self) -> tuple[Memory, ...]:
        """Return all allocations, in their order."""
        room = self._ffi.new("fake_npu_memory[]", 4096)
        number = self._lib.fake_npu_memories(room, len(room))
        return tuple(self._memory(room[i]) for i in range(number))

    def _memory(self, entry: Any) -> Memory:
        content = np.frombuffer(self._ffi.buffer(entry.bytes, entry.size), np.uint8)
        return Memory(entry.handle, entry.dma_address, bool(entry.imported), content)

    def _submitted(self, entry: Any) -> int:
        submission = _submission(entry, self.memories())
        with self._lock:
            self.submissions.append(submission)
            answer = self._answer
        return (answer(submission) or 0) if answer else 0


def _submission(entry: Any, memories: tuple[Memory, ...]) -> Submission:
    tasks = (entry.task_start, entry.task_number)
    subcores = tuple((pair[0], pair[1]) for pair in entry.subcore_task)
    listed = next(memory for memory in memories if memory.handle == entry.task_handle).bytes
    records = listed[: len(listed) // _TASK.itemsize * _TASK.itemsize].view(_TASK)
    # AUTO names its tasks once for each core that it might choose; each core has a separate copy or the first one's.
    indices = sorted({i for start, number in subcores if number for i in range(start, start + number)})
    commands = {i: int(records[i]["address"]) + int(records[i]["offset"]) for i in indices if i < len(records)}
    registers = {i: _registers(start, int(records[i]["amount"]), memories) for i, start in commands.items()}
    return Submission(entry.flags, entry.core_mask, tasks, subcores, registers, tuple(commands.values()), memories)


def _registers(start: int, amount: int, memories: tuple[Memory, ...]) -> dict[int, int]:
    for memory in memories:
        if start in memory:
            at = start - memory.address
            words = memory.bytes[at : at + 8 * amount].view("<u8")
            return {int(word) & 0xFFFF: int(word) >> 16 & 0xFFFFFFFF for word in words}
    return {}
