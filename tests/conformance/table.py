# SPDX-License-Identifier: Apache-2.0
"""Every question for both libraries."""

from __future__ import annotations

from . import codes, conversions, memory, queries

CASES = (*queries.CASES, *conversions.CASES, *codes.CASES, *memory.CASES)
GROUPS = {
    "queries": "every `rknn_query` of every model, every field",
    "inputs": "every element type and order into every kind of input: the code, and the bytes that the NPU reads",
    "outputs": "planted outputs, native and float32, in buffers of the right and of the wrong size",
    "codes": "return codes: documented errors, mistaken callers, core masks",
    "memory": "shared memory: which bindings are accepted, at which size",
}
