# SPDX-License-Identifier: Apache-2.0
"""Write what the gRPC service needs to know of ``open_inference.proto``: ``make stubs``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "src/ez_rknn_async/serving"
TEXT = '''# SPDX-License-Identifier: Apache-2.0
"""The descriptors of ``open_inference.proto``, written by ``make stubs``."""

FILE = (
{lines})
'''
_WIDTH = 100  # of the bytes' text


def main() -> None:
    """Write the module."""
    (FOLDER / "descriptors.py").write_text(module())


def module() -> str:
    """Return the module's text."""
    data = _compiled()
    lines = [f"    {_literal(part)}\n" for part in _parts(data)]
    return TEXT.format(lines="".join(lines))


def _compiled() -> bytes:
    from google.protobuf import descriptor_pb2

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "set"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{FOLDER}", f"--descriptor_set_out={output}"]
        subprocess.run([*command, "open_inference.proto"], cwd=FOLDER, check=True, timeout=60)
        found = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    data: bytes = found.file[0].SerializeToString(deterministic=True)
    return data


def _parts(data: bytes) -> list[bytes]:
    parts, start = [], 0
    for end in range(1, len(data) + 1):
        if len(_literal(data[start : end + 1])) > _WIDTH or end == len(data):
            parts.append(data[start:end])
            start = end
    return parts


def _literal(data: bytes) -> str:
    """Return bytes as the formatter writes them."""
    body = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\x{b:02x}" for b in data)
    return f'b"{body}"'


if __name__ == "__main__":
    main()
