# SPDX-License-Identifier: Apache-2.0
"""Deliberate differences between the simulated NPU's library and the vendor's, with reasons.

A pattern of case names and the reason: a case that differs and is not listed is a fault, and so is a pattern under
which nothing differs.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

CRASHES = "the vendor's library crashes; this one returns an error"
BOUND = "the vendor's library accepts it and then overruns the memory; this one refuses it"
OUTPUT_TYPES = "the vendor's library accepts a type that it cannot convert an output to; this one refuses it"

AFTER_PIXELS = (
    "the vendor's library takes whatever a context is given after pixels as such; this one converts what it is given"
)

DIFFERENCES = {
    "queries: SDK_VERSION of *": "each says its own version",
    "inputs: * into *_int8, after uint8": AFTER_PIXELS,
    "outputs: native of vector_*, more room": "the vendor's library also copies what lies behind a vector's end",
    "codes: rknn_init of 'RKNN' and zeros": CRASHES,
    "codes: rknn_init of a model that lacks its last byte": CRASHES,
    "codes: rknn_init of header version 1": CRASHES,
    "codes: rknn_init of header version 7": "the vendor's library ignores versions that it does not know; this one "
    "refuses them as the parser in Python does",
    "codes: rknn_init of a model with an unknown operator": "the vendor's library aborts, for this old version has "
    "no custom operators; this one waits for the program to register them",
    "codes: rknn_query made-up context": CRASHES,
    "codes: rknn_query destroyed context": CRASHES,
    "codes: rknn_query 9 index 1 of 1": CRASHES,
    "codes: rknn_destroy twice": CRASHES,
    "codes: rknn_dup_context outlives": "the vendor's library lets the original go first; this one reports it",
    "codes: rknn_inputs_set NULL": CRASHES,
    "codes: rknn_inputs_set buffer NULL": CRASHES,
    "codes: rknn_inputs_set order 4": CRASHES,
    "codes: rknn_inputs_set order 99": CRASHES,
    "codes: rknn_outputs_release twice": CRASHES,
    "codes: rknn_set_core_mask 65535": "all cores in newer versions of the vendor's library, refused by this old one",
    "memory: smallest for * pass_through 1": BOUND,
    "memory: output of *_int8 as uint8 *": OUTPUT_TYPES,
    "memory: output of *_fp16 as uint8 *": OUTPUT_TYPES,
    "memory: output of conv_*_int8 as float16 *": OUTPUT_TYPES,
    "memory: output of *_fp16 as int8 *": OUTPUT_TYPES,
    "memory: output of vector_int8 as int8 *": OUTPUT_TYPES,
    "memory: output of * as int64 *": OUTPUT_TYPES,
    "memory: output of vector_* as float32 NC1HWC2": CRASHES,
    "memory: output of vector_* as float16 NC1HWC2": CRASHES,
}


def pattern_of(case: str) -> str | None:
    """Return the first pattern that fits a case; None if the case must not differ."""
    return next((pattern for pattern in DIFFERENCES if fnmatchcase(case, pattern)), None)
