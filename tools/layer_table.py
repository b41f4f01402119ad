# SPDX-License-Identifier: Apache-2.0
"""Conversion of the layer table in a build log of the compiler, its own cost estimates, to JSON.

At a high log level the compiler prints the table for the first model that a process compiles. The log is read from
standard input; nothing else is needed::

    RKNN_LOG_LEVEL=5 python tools/make_test_models.py snippet | python tools/layer_table.py > snippet_cycles.json

Cycles are those of the NPU's clock with one core: for reading and writing memory, for computing, and the larger of the
two. All are 0 for layers that the compiler does not estimate. ``read_kilobytes`` is the amount that a layer reads.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOG_PREFIX = re.compile(r"^D RKNN: \[[0-9:.]+\] ")
ROW = re.compile(
    r"(?P<id>\d+)\s+(?P<op>\S+)\s+(?P<dtype>\S+)\s+(?P<target>\S+)\s+(?P<inputs>\S+)\s+(?P<output>\S+)\s+"
    r"(?P<memory>\d+)/(?P<compute>\d+)/(?P<total>\d+)\s+(?:\d+%\s+)?(?P<read>\d+)\s+(?P<name>.*?)\s*$"
)


def layer_table(log: Iterable[str]) -> list[dict[str, Any]]:
    """Return the layers of the first table in ``log``; raise ``ValueError`` if there is none."""
    layers = [_layer(row) for row in _rows(LOG_PREFIX.sub("", line) for line in log)]
    if not layers:
        raise ValueError("no table of layers in this log; was RKNN_LOG_LEVEL=5 set?")
    return layers


def _rows(lines: Iterator[str]) -> Iterator[re.Match[str]]:
    for line in lines:
        if "Cycles(DDR/NPU/Total)" in line:
            break
    next(lines, None)  # the rule under the heading
    for line in lines:
        row = ROW.match(line)
        if row is None:
            return
        yield row


def _layer(row: re.Match[str]) -> dict[str, Any]:
    return {
        "op": row["op"],
        "name": row["name"],
        "dtype": row["dtype"],
        "target": row["target"],
        "memory_cycles": int(row["memory"]),
        "compute_cycles": int(row["compute"]),
        "total_cycles": int(row["total"]),
        "read_kilobytes": int(row["read"]),
    }


if __name__ == "__main__":
    # The compiler draws progress bars over its own lines: tolerate bytes that are not text.
    log = sys.stdin.buffer.read().decode(errors="replace").splitlines()
    json.dump(layer_table(log), sys.stdout, indent=1)
    print()
