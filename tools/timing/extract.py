# SPDX-License-Identifier: Apache-2.0
"""Extraction of the timing model's inputs from compiled networks to small JSON files, so that anyone can refit it.

Needs the installed package and the ``.rknn`` files of ``compile_networks.py``, named ``NETWORK.SOC.rknn``::

    python tools/timing/extract.py RKNN_FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ez_rknn_async._runtime.layer_times import LayerTime, layer_times

DATA = Path(__file__).parent / "data"
COLUMNS = ("operator", "on_npu", "compute_cycles", "moved_bytes", "table_elements", "attention_scores", "share")


def row(layer: LayerTime) -> list[object]:
    """Return the columns of one layer; ``share`` is that of 2 and of 3 cores."""
    return [
        layer.operator,
        int(layer.on_npu),
        layer.compute_cycles,
        layer.moved_bytes,
        layer.table_elements,
        layer.attention_scores,
        *(round(share, 4) for share in layer.share[1:]),
    ]


def write(files: list[Path], path: Path) -> None:
    """Write one network per block and one layer per line, so that a change shows in a diff."""
    networks = []
    for file in files:
        lines = ",\n".join(json.dumps(row(layer), separators=(",", ":")) for layer in layer_times(str(file)))
        networks.append(f'"{file.name.split(".")[0]}": [\n{lines}\n]')
    path.write_text("{\n" + ",\n".join(networks) + "\n}\n")


if __name__ == "__main__":
    for soc in ("rk3588", "rk3576", "rk3566"):
        write(sorted(Path(sys.argv[1]).glob(f"*.{soc}.rknn")), DATA / f"{soc}.json")
