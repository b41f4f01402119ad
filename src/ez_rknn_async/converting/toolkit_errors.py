# SPDX-License-Identifier: Apache-2.0
"""The reason of a failure, out of what the toolkit printed.

Its messages come from several programs in one: Python (``E load_onnx: ...``), the compiler (``E RKNN: ...``), and a
traceback where it fell over itself. What a user needs of them is the node, the operator and one sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ERROR = re.compile(r"^E (?:RKNN: \[[^\]]*\] ?)?(.*)$")
# "No lowering found for: my_det, node type = Det, use CustomOperatorLower instead."
_NO_LOWERING = re.compile(r"No lowering found for: (?P<node>.+?), node type = (?P<operator>\w+)")
_EXCEPTION = re.compile(
    r"^(?:\w+(?:Error|Exception)|(?:\w+\.)+[A-Z]\w+): (.+)$"
)  # with its module, if not Python's own
_NODE = (
    _NO_LOWERING,
    re.compile(r"[Uu]nsupport\w* (?:op|operator|onnx op)\w*:? ?[\"'\[]*(?P<operator>[A-Z]\w*)"),
    re.compile(r"\b(?P<operator>[A-Z]\w+)[:(] ?[\"']?(?P<node>[\w/.:-]+)[\"']?.*(?:not support|unsupport)"),
    re.compile(r"In Node, \(\"(?P<node>[^\"]*)\", (?P<operator>\w+)"),
    re.compile(r"The (?P<operator>[A-Z]\w+)\('(?P<node>[^']+)'\)"),
    re.compile(r"(?:op_type|node type|Op type)\s*[:=] ?[\"']?(?P<operator>[A-Z]\w*)"),
)
_PLUMBING = re.compile(
    r"^(?:Traceback|File \"|=+|-+|\^+|\S+\.(?:py|so)\b|During handling|$)"
    r"|Traceback \(most|Catch exception when|^Please|version: "
)


@dataclass(frozen=True)
class Reason:
    """The reason of a failure, as far as the log tells it."""

    text: str = ""
    node: str | None = None
    operator: str | None = None
    hint: str | None = None


def explain(log: str) -> Reason:
    """Find the reason of a failure in the toolkit's log."""
    lines = [_COLOUR.sub("", line).strip() for line in re.split(r"[\r\n]+", log)]
    errors = [found.group(1).strip() for line in lines if (found := _ERROR.match(line))]
    raised = [found.group(1).strip() for line in lines if (found := _EXCEPTION.match(line))]
    told = [line for line in (*errors, *raised) if line and not _PLUMBING.search(line)]
    # Python's last line has the exception, the first line of the toolkit's own what it was about.
    text = told[-1] if told else ""
    for line in (*reversed(told), *reversed(lines)):
        for pattern in _NODE:
            found = pattern.search(line)
            if found:
                groups = found.groupdict()
                return Reason(text or line, groups.get("node"), groups.get("operator"), _hint(text or line))
    return Reason(text, hint=_hint(text))


def not_lowered(log: str) -> list[tuple[str, str]]:
    """Return node and operator of everything that the compiler has no code for.

    It says so in one line among hundreds, and builds a file in which these are custom operators.
    """
    return list(dict.fromkeys((found["node"], found["operator"]) for found in _NO_LOWERING.finditer(log)))


def _hint(text: str) -> str | None:
    lower = text.lower()
    if "dynamic" in lower and "shape" in lower:
        return "fix the shapes with --shape NAME=1x3x224x224"
    if "opset" in lower:
        return "export the model with another opset (19 or lower is the safest)"
    return None
