# SPDX-License-Identifier: Apache-2.0
"""The places of a model's inputs and outputs in its commands.

The addresses of what a program binds differ each time; the commands around them stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .npu import DESTINATIONS, SOURCES, FakeNpu, Memory, Submission
from .raw import Raw


@dataclass(frozen=True)
class Place:
    """The register of a task that holds an address."""

    task: int
    register: int

    def address_in(self, submission: Submission) -> int | None:
        """Return the address; None if the task is in another submission: operators on the CPU come between them."""
        return submission.registers.get(self.task, {}).get(self.register)


def input_places(context: Raw, npu: FakeNpu) -> list[Place]:
    """Return where the last task that reads each input reads it, found by a run with ``rknn_inputs_set``."""
    npu.forget()
    context.run([np.zeros(i.shape, np.uint8) for i in context.inputs])
    # The library allocates all inputs and then all outputs, last of all.
    inputs, outputs = len(context.inputs), len(context.outputs)
    buffers = npu.submissions[-1].memories[-inputs - outputs :][:inputs]
    return [_last_reader(npu.submissions, buffer) for buffer in buffers]


def _last_reader(submissions: list[Submission], memory: Memory) -> Place:
    for submission in reversed(submissions):
        for task, values in reversed(submission.registers.items()):
            for register in SOURCES:
                if values.get(register, -1) in memory:
                    return Place(task, register)
    raise LookupError(f"no task reads the memory at {memory.address:#x}")


class Watch:
    """The bytes of each input of a model, as they are when the NPU is told to run.

    Images of up to four channels without the ends of their rows: in a program's own memory a task of the NPU's writes
    those.

    Attributes:
        addresses: of each input in the last run.
    """

    def __init__(self, context: Raw, npu: FakeNpu) -> None:
        """Find the places of the inputs.

        Args:
            context: of the model, and of no use afterwards: it is given pixels.
            npu: computes nothing from now on, but looks.
        """
        self._inputs, self._places = context.inputs, input_places(context, npu)
        numbers = range(len(self._inputs))
        self._sizes = [context.query("RKNN_QUERY_NATIVE_INPUT_ATTR", i).size_with_stride for i in numbers]
        self._read: dict[int, bytes] = {}
        self.addresses: dict[int, int] = {}
        npu.compute(self._look)

    def take(self) -> dict[int, bytes]:
        """Return the bytes of each input in the last run; those of a run can be taken once."""
        read, self._read = self._read, {}
        return read

    def _look(self, submission: Submission) -> None:
        for index, (place, size) in enumerate(zip(self._places, self._sizes)):
            address = place.address_in(submission)
            if address is not None:
                self._read[index] = self._pixels(index, submission.at(address, size))
                self.addresses[index] = address

    def _pixels(self, index: int, content: np.ndarray) -> bytes:
        attribute = self._inputs[index]
        if len(attribute.shape) != 4 or attribute.shape[3] > 4:
            return content.tobytes()
        n, h, w, _ = attribute.shape
        return content.reshape(n * h, attribute.row, -1)[:, :w].tobytes()


def images_of(context: Raw, dtype: type, seed: int = 0) -> list[np.ndarray]:
    """Return numbers that every input can represent, in the runtime's order: beyond its range the library wraps
    some."""
    generator = np.random.default_rng(seed)
    images: list[np.ndarray] = []
    for i in context.inputs:
        top = 255 if len(i.shape) == 4 else int((127 - i.zero_point) * i.scale) if i.dtype == np.int8 else 100
        images.append(generator.integers(0, max(top, 0) + 1, i.shape).astype(dtype))
    return images


def plant(submission: Submission, seed: int = 0) -> None:
    """Fill the NPU's outputs with numbers that depend on the seed and on the last task that writes there.

    They go as far as the next written address, or to the end of the memory. Some tasks rewrite a piece of the weights;
    the commands are beside them, so that memory is left alone.
    """
    writers: dict[int, tuple[int, int]] = {}
    for task, values in submission.registers.items():
        for register in DESTINATIONS:
            address = values.get(register, -1)
            if submission.is_memory(address) and not submission.is_beside_commands(address):
                writers[address] = (task, register)
    addresses = sorted(writers)
    for address, following in zip(addresses, [*addresses[1:], 1 << 62]):
        target = submission.at(address, following - address)
        target[:] = np.random.default_rng([seed, *writers[address]]).integers(0, 256, len(target), np.uint8)
        # Of a float16, only the low bits of its exponent: no infinities, and no NaNs.
        target[1::2] &= 0xBF
