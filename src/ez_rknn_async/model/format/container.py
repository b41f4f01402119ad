# SPDX-License-Identifier: Apache-2.0
"""The container around the graph, and the refusal of files that cannot be read.

======== ========= ==========================================================
offset   size      content
======== ========= ==========================================================
0        8         ``RKNN`` and four zero bytes
8        u64       container version, 6
16       u64       N, the length of the FlatBuffer
24       40        zero
64       N         the FlatBuffer, with ``RKNN`` at its byte 4
64 + N   u64       M, the length of the summary
72 + N   M         the summary, JSON
======== ========= ==========================================================

The vendor's runtime aborts the process on a file that is cut short, even by the last byte of the summary, so both
lengths and the summary are checked here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ...errors import RknnModelError
from .flatbuffer import Reader
from .other_formats import origin_of, refusal
from .schema import HEADER, SCHEMA_VERSION
from .text import decode_utf8, parse_text

FLATBUFFER = 64  # its offset
CONTAINER_VERSION = 6

COPY_AGAIN = "copy or download it again"
_UPDATE = "update ez-rknn-async and the runtime library, or compile the model with an older rknn-toolkit2"
_LFS_HINT = "fetch the file itself with 'git lfs pull'"
_COMPILE = "compile it to .rknn with rknn-toolkit2 first"

# Files given to a runtime by mistake: their first bytes, what they are, and what to do.
_FOREIGN = {
    b"RKNX": (
        "this is a model for RKNPU3 (it begins with 'RKNX'), which is not supported",
        "compile the model with rknn-toolkit2 for an RKNPU2 SoC such as target_platform='rk3588'",
    ),
    b"RKCE": (
        "this model is encrypted (it begins with 'RKCE'), which is not supported",
        "export the model without encryption: export_rknn() of rknn-toolkit2 does",
    ),
    b"version ": ("this is a Git LFS pointer, not the model itself", _LFS_HINT),
    b"\x08": ("this looks like an ONNX model, not an RKNN model", _COMPILE),
    b"PK\x03\x04": ("this is a ZIP archive (or a PyTorch model), not an RKNN model", _COMPILE),
}


@dataclass(frozen=True)
class Header:
    """The metadata that precedes the graphs."""

    container_version: int
    schema_version: int
    toolkit_version: tuple[int, int, int]
    compiler: str  # such as "2.5.0(compiler version: 2.5.0 (74ea630ce@...))"
    target_platform: str  # such as "rk3588"


@dataclass(frozen=True)
class Container:
    """The parts of a file."""

    version: int
    reader: Reader  # over the FlatBuffer
    root: int  # position of the root table


def open_container(data: memoryview) -> Container:
    """Return the parts of the file in ``data``, or raise the error that says which kind of file it is instead."""
    _check_magic(data)
    version, length = struct.unpack_from("<QQ", data, 8)
    _check_version(version, data)
    if length > len(data) - FLATBUFFER:
        raise RknnModelError(
            f"the model file is cut short: it should hold {FLATBUFFER + length + 8} bytes or more, but has {len(data)}",
            offset=16,
            hint=COPY_AGAIN,
        )
    reader = Reader(data[FLATBUFFER : FLATBUFFER + length], FLATBUFFER)
    reader.need(0, 8, "the beginning of the FlatBuffer")
    if bytes(reader.data[4:8]) != b"RKNN":
        reader.fail(4, f"the FlatBuffer is marked {bytes(reader.data[4:8])!r} instead of b'RKNN'")
    return Container(version, reader, reader.target(0))


def read_root(container: Container) -> Header:
    """Return the header of an opened container; refuse a schema newer than the known ones."""
    values = HEADER.read(container.reader, container.root)
    schema_version = values["schema_version"]
    toolkit = values["toolkit"]
    if schema_version > SCHEMA_VERSION:
        raise RknnModelError(
            f"the model has schema version {schema_version}, but this library reads up to {SCHEMA_VERSION}; "
            f"it was compiled by {values['compiler'] or 'an unknown compiler'}",
            offset=FLATBUFFER + container.root,
            hint=_UPDATE,
        )
    if schema_version < 1 or toolkit < 0:
        container.reader.fail(container.root, f"it gives schema version {schema_version} and toolkit version {toolkit}")
    return Header(
        container_version=container.version,
        schema_version=schema_version,
        toolkit_version=(toolkit // 10000, toolkit // 100 % 100, toolkit % 100),
        compiler=values["compiler"],
        target_platform=values["target"],
    )


def check_summary(container: Container, data: memoryview) -> None:
    """Check that the JSON at the end of the file is complete."""
    start = FLATBUFFER + len(container.reader.data)
    hint = COPY_AGAIN
    if len(data) < start + 8:
        raise RknnModelError("the model file is cut short: it ends before its summary", offset=start, hint=hint)
    (length,) = struct.unpack_from("<Q", data, start)
    if length > len(data) - start - 8:
        present = len(data) - start - 8
        message = f"the model file is cut short: its summary should have {length} bytes, but only {present} are there"
        raise RknnModelError(message, offset=start, hint=hint)
    summary = decode_utf8(data[start + 8 : start + 8 + length], start + 8)
    if not isinstance(parse_text(summary, start + 8), dict):
        raise RknnModelError("the model's summary is not a JSON object", offset=start + 8)


def _check_magic(data: memoryview) -> None:
    """Refuse a file that is not RKNN, and say what it is."""
    size, magic = len(data), bytes(data[:8])
    if magic[:4] == b"RKNN":
        if size < FLATBUFFER:
            message = f"the model file is cut short: it has {size} bytes, less than its header of {FLATBUFFER}"
            raise RknnModelError(message, offset=size, hint=COPY_AGAIN)
        if any(magic[4:]):
            message = f"the model file is damaged: 'RKNN' is followed by {magic[4:].hex(' ')} instead of zeros"
            raise RknnModelError(message, offset=4, hint=COPY_AGAIN)
        return
    if size < 4:
        what = "is empty" if size == 0 else f"has only {size} bytes ({magic.hex(' ')})"
        raise RknnModelError(f"the model file {what}", offset=0, hint=COPY_AGAIN)
    for foreign, (what, hint) in _FOREIGN.items():
        if magic.startswith(foreign):
            raise RknnModelError(what, offset=0, hint=hint)
    raise RknnModelError(
        f"this is not an RKNN model: it begins with {magic.hex(' ')}, not 52 4b 4e 4e ('RKNN')",
        offset=0,
        hint="give the .rknn file that rknn-toolkit2's export_rknn() wrote",
    )


def _check_version(version: int, data: memoryview) -> None:
    if version == CONTAINER_VERSION:
        return
    known = refusal(version, origin_of(data), CONTAINER_VERSION)
    message, hint = known or (
        f"the model file has container version {version:#x}, which is too new, or damaged: {CONTAINER_VERSION} can be "
        "read",
        _UPDATE,
    )
    raise RknnModelError(message, offset=8, hint=hint)
