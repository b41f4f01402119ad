# SPDX-License-Identifier: Apache-2.0
"""The host memory that a large model takes, measured in a separate process."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from rig import BUILD, CORES, IMAGE, session

SIZE = 200 << 20
_FLATBUFFER = 64  # its offset in the file; its length is at byte 16


def of_a_large_model() -> float:
    """Return the growth of a process by a session on three cores, as a share of the model's file."""
    model = BUILD / "large.rknn"
    _make(model)
    grown = int(
        subprocess.run([sys.executable, __file__, str(model)], check=True, capture_output=True, text=True).stdout
    )
    size = model.stat().st_size
    model.unlink()
    return grown / size


def _make(path: Path) -> None:
    """Write a real model with ``SIZE`` more bytes of data after its graph."""
    content = IMAGE.read_bytes()
    (length,) = struct.unpack_from("<Q", content, 16)
    end = _FLATBUFFER + length
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content[:16] + struct.pack("<Q", length + SIZE) + content[24:end])
        block = bytes(range(256)) * 4096
        for _ in range(SIZE // len(block)):
            file.write(block)
        file.write(content[end:])


def _resident() -> int:
    """Return the resident bytes of this process, with its share of pages that others map too."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    raise RuntimeError("the kernel does not report this process's memory")


def main(model: Path) -> None:
    """Print this process's growth; runs in the separate process."""
    with session(IMAGE, 0, CORES):
        pass  # exclude what the first session of a process loads
    before = _resident()
    with session(model, 0, CORES) as opened:
        assert opened.get_inputs()
        print(_resident() - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
