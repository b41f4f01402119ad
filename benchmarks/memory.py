"""What a large model costs the host: its own memory, in a process of its own."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from rig import BUILD, CORES, IMAGE, session

SIZE = 200 << 20
_FLATBUFFER = 64  # where it begins in the file; its length stands at byte 16


def of_a_large_model() -> float:
    """How much a process grows by a session on three cores, as a share of the model's file."""
    model = BUILD / "large.rknn"
    _make(model)
    grown = int(
        subprocess.run([sys.executable, __file__, str(model)], check=True, capture_output=True, text=True).stdout
    )
    size = model.stat().st_size
    model.unlink()
    return grown / size


def _make(path: Path) -> None:
    """A real model with so much more data behind its graph."""
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
    """Bytes of this process that are in memory, its share of what others map too."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    raise RuntimeError("the kernel tells nothing of this process's memory")


def main(model: Path) -> None:
    """In the process of its own: print by how much it grows."""
    with session(IMAGE, 0, CORES):
        pass  # whatever the first session loads is not the model's
    before = _resident()
    with session(model, 0, CORES) as opened:
        assert opened.get_inputs()
        print(_resident() - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
