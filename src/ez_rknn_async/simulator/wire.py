# SPDX-License-Identifier: Apache-2.0
"""The messages between the simulated runtime library and its device process.

It implements the encoding of ``docs/explanation/device-process.md``, with frozen values. All integers are
little endian; one message is one packet of a ``SOCK_SEQPACKET`` socket; file descriptors travel beside it.
"""

from __future__ import annotations

import array
import enum
import os
import socket
import struct
from dataclasses import dataclass

MAGIC = 0x5A455A45
PROTOCOL = 3
MAX_MESSAGE = 256 * 1024  # an attach names every tensor of every graph; everything else is a few bytes
MAX_DESCRIPTORS = 2
MAX_TEXT = 8 * 1024  # of an error; the host shows it to a person

GREETING = struct.pack("<II", MAGIC, PROTOCOL)


class Opcode(enum.IntEnum):
    """The first word of a request."""

    LOAD = 1
    ATTACH = 2
    UNLOAD = 3
    RUN = 16


class ReplyStatus(enum.IntEnum):
    """The vendor's return codes that the device process uses."""

    SUCC = 0
    FAIL = -1
    MALLOC_FAIL = -4
    PARAM_INVALID = -5
    MODEL_INVALID = -6
    CTX_INVALID = -7


class RefusedError(Exception):
    """A request that is answered with a status and a reason."""

    def __init__(self, status: ReplyStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Extent:
    """The place of one tensor in the shared memory, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True)
class OperatorExtents:
    """The tensors of one custom operator, in its own order."""

    inputs: tuple[Extent, ...]
    outputs: tuple[Extent, ...]


@dataclass(frozen=True)
class GraphExtents:
    """The tensors of one graph, in the order of the model, and those of its custom operators."""

    inputs: tuple[Extent, ...]
    outputs: tuple[Extent, ...]
    custom_operators: tuple[OperatorExtents, ...]


@dataclass(frozen=True)
class Load:
    """A request to load the model file whose descriptor came along; ``model`` is the host's name for it.

    Weights that the file leaves out are taken from ``master``, a loaded model; 0: none.
    """

    model: int
    master: int


@dataclass(frozen=True)
class Attach:
    """A request to serve one context of ``model`` on the channel and the memory whose descriptors came along."""

    model: int
    graphs: tuple[GraphExtents, ...]


@dataclass(frozen=True)
class Unload:
    """A request to forget ``model``; contexts attached to it keep working."""

    model: int


@dataclass(frozen=True)
class RunCommand:
    """A request to run one stage of ``graph`` on simulated core ``core``, the first of ``cores`` that work together.

    A graph without custom operators has one stage; otherwise the host computes operator *i* after stage *i*.
    """

    graph: int
    stage: int
    core: int
    cores: int


class Fields:
    """A reader of one message's words, in order; it refuses a message that is too short or too long."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._position = 0

    def u32(self) -> int:
        """Return the next 32-bit word."""
        return self._read("<I")

    def u64(self) -> int:
        """Return the next 64-bit word."""
        return self._read("<Q")

    def end(self) -> None:
        """Check that nothing is left."""
        left = len(self._message) - self._position
        if left:
            raise RefusedError(ReplyStatus.PARAM_INVALID, f"the message is {left} bytes too long")

    def _read(self, form: str) -> int:
        try:
            (value,) = struct.unpack_from(form, self._message, self._position)
        except struct.error:
            raise RefusedError(
                ReplyStatus.PARAM_INVALID, f"the message ends after {len(self._message)} bytes"
            ) from None
        self._position += struct.calcsize(form)
        return int(value)


def parse_control(message: bytes) -> Load | Attach | Unload:
    """Parse the request in one packet of the control socket."""
    fields = Fields(message)
    opcode = fields.u32()
    request: Load | Attach | Unload
    if opcode == Opcode.LOAD:
        request = Load(fields.u32(), fields.u32())
    elif opcode == Opcode.ATTACH:
        request = Attach(fields.u32(), _graphs(fields))
    elif opcode == Opcode.UNLOAD:
        request = Unload(fields.u32())
    else:
        raise RefusedError(ReplyStatus.PARAM_INVALID, f"opcode {opcode} is not a control request")
    fields.end()
    return request


def parse_channel(message: bytes) -> RunCommand:
    """Parse the request in one packet of a channel."""
    fields = Fields(message)
    opcode = fields.u32()
    if opcode != Opcode.RUN:
        raise RefusedError(ReplyStatus.PARAM_INVALID, f"opcode {opcode} is not a channel request")
    request = RunCommand(fields.u32(), fields.u32(), fields.u32(), fields.u32())
    fields.end()
    return request


def _graphs(fields: Fields) -> tuple[GraphExtents, ...]:
    # Counts come from the message, so nothing is allocated from them: the reads run out first.
    return tuple(_graph(fields) for _ in range(fields.u32()))


def _graph(fields: Fields) -> GraphExtents:
    inputs, outputs, operators = fields.u32(), fields.u32(), fields.u32()
    return GraphExtents(
        _extents(fields, inputs), _extents(fields, outputs), tuple(_operator(fields) for _ in range(operators))
    )


def _operator(fields: Fields) -> OperatorExtents:
    inputs, outputs = fields.u32(), fields.u32()
    return OperatorExtents(_extents(fields, inputs), _extents(fields, outputs))


def _extents(fields: Fields, count: int) -> tuple[Extent, ...]:
    return tuple(Extent(fields.u64(), fields.u64()) for _ in range(count))


def reply(status: ReplyStatus, text: str = "") -> bytes:
    """Return the packet that answers a request."""
    return struct.pack("<i", status) + text.encode("utf-8", "replace")[:MAX_TEXT]


def receive(connection: socket.socket) -> tuple[bytes, tuple[int, ...]] | None:
    """Return the next packet and its descriptors, which the caller closes; None when the other side has closed."""
    space = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
    try:
        message, ancillary, _, _ = connection.recvmsg(MAX_MESSAGE, space, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return None
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if not message:
        close_all(descriptors)
        return None
    return message, tuple(descriptors)


def close_all(descriptors: tuple[int, ...] | array.array[int]) -> None:
    """Close descriptors that were not taken over."""
    for descriptor in descriptors:
        os.close(descriptor)
