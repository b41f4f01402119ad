# SPDX-License-Identifier: Apache-2.0
"""Findings about an ONNX model before it is built: the mistakes that otherwise show on the board, or in hours.

Each check takes the model and yields findings. None of them runs the model.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from onnx import TensorProto

from .finding import ERROR, NOTE, WARNING, Finding
from .heads import mixed_heads, second_readers
from .onnx_operators import CONTROL_FLOW, CPU, KNOWN
from .original import initializer_values, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .original import Original
    from .recipe import Recipe

_NAMED = 4  # nodes that a message lists
_DOMAINS = ("", "ai.onnx")


def inspect(original: Original, recipe: Recipe) -> list[Finding]:
    """Return all findings about a model that is to be built by a recipe."""
    checks = (_shapes, _control_flow, _operators, _on_cpu, _double, _heads, _second_readers, _normalised_inside, _means)
    return [finding for check in checks for finding in check(original, recipe)]


def _shapes(original: Original, recipe: Recipe) -> Iterator[Finding]:
    if recipe.dynamic:
        return
    for port in original.inputs:
        if not port.is_fixed:
            guess = "x".join(str(size or (1 if place == 0 else "N")) for place, size in enumerate(port.shape))
            yield Finding(
                ERROR,
                "open-shape",
                f"the input {port.name!r} has the shape {written(port.shape)}, and the NPU needs fixed ones",
                f"choose one with --shape {port.name}={guess}",
                (port.name,),
            )


def _control_flow(original: Original, recipe: Recipe) -> Iterator[Finding]:
    for node in original.graph.node:
        if node.op_type in CONTROL_FLOW:
            yield Finding(
                WARNING,
                "control-flow",
                f"node {node.name or node.output[0]!r} is {node.op_type}, and the NPU has no control flow: it "
                "works only if "
                "the compiler can fold it away",
                "export the model with fixed shapes, or cut it out with --output-tensor",
                tuple(node.output),
            )


def _operators(original: Original, recipe: Recipe) -> Iterator[Finding]:
    for node in original.graph.node:
        if node.domain not in _DOMAINS or node.op_type not in KNOWN:
            name = f"{node.domain}.{node.op_type}" if node.domain not in _DOMAINS else node.op_type
            yield Finding(
                WARNING,
                "unknown-operator",
                f"node {node.name or node.output[0]!r} is {name}, which is not known to run on "
                f"{', '.join(recipe.targets)}",
                "replace it, or cut the model before it with --output-tensor",
                tuple(node.output),
            )


def _on_cpu(original: Original, recipe: Recipe) -> Iterator[Finding]:
    constant = set(initializer_values(original.graph))
    places: dict[str, list[str]] = defaultdict(list)
    for node in original.graph.node:
        if node.op_type in CPU and not all(name in constant for name in node.input):
            places[node.op_type].append(node.name or node.output[0])
    for operator, nodes in places.items():
        more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
        yield Finding(
            NOTE,
            "on-cpu",
            f"{operator} often runs on the CPU: {', '.join(nodes[:_NAMED])}{more}",
            "the report says what of it is left after compiling",
            tuple(nodes),
        )


def _double(original: Original, recipe: Recipe) -> Iterator[Finding]:
    names = [port.name for port in original.inputs if port.element_type == TensorProto.DOUBLE]
    names += [tensor.name for tensor in original.graph.initializer if tensor.data_type == TensorProto.DOUBLE]
    if names:
        yield Finding(
            WARNING,
            "float64",
            f"the model computes in float64: {', '.join(names[:_NAMED])}",
            "export it in float32 (in torch: model.float()); the compiler rounds it, or refuses",
            tuple(names),
        )


def _heads(original: Original, recipe: Recipe) -> Iterator[Finding]:
    for head in mixed_heads(original):
        severity = WARNING if recipe.is_quantised else NOTE
        yield Finding(
            severity,
            "mixed-head",
            f"the output {head.output!r} joins {', '.join(head.parts)}, of different ranges, which share one scale in "
            "int8: all scores can become 0",
            "cut the model before that with --cut auto, or --output-tensor " + " --output-tensor ".join(head.parts),
            head.parts,
        )


def _second_readers(original: Original, recipe: Recipe) -> Iterator[Finding]:
    for scores, readers in second_readers(original):
        yield Finding(
            WARNING if recipe.is_quantised else NOTE,
            "second-reader",
            f"the class scores {scores!r} are also read by {', '.join(readers)}: the Sigmoid is then not fused "
            "into its "
            "convolution, and scores lose up to half their value in int8",
            "remove the second reader from the export, or cut the model at the scores with --output-tensor",
            (scores,),
        )


def _normalised_inside(original: Original, recipe: Recipe) -> Iterator[Finding]:
    """Find a normalisation in the graph beside one in the recipe."""
    if not recipe.normalises:
        return
    constants = initializer_values(original.graph)
    for port in original.inputs:
        first = [node for node in original.graph.node if port.name in node.input]
        # A shape that is looked up, a cast or a transposition come before the arithmetic.
        while len(first) == 1 and first[0].op_type in ("Cast", "Transpose", "Identity"):
            first = [node for node in original.graph.node if first[0].output[0] in node.input]
        for node in first:
            other = [constants[name] for name in node.input if name in constants]
            if node.op_type in ("Sub", "Div", "Mul", "BatchNormalization") and other and other[0].size in (1, 3, 4):
                yield Finding(
                    WARNING,
                    "double-normalisation",
                    f"the model normalises its input {port.name!r} itself ({node.op_type} "
                    f"{node.name or node.output[0]!r}), "
                    "and --mean/--std would do it a second time",
                    "leave --mean and --std out",
                    (port.name,),
                )


_RGB_MEANS = ((123.675, 116.28, 103.53), (0.485, 0.456, 0.406), (123.68, 116.78, 103.94))


def _means(original: Original, recipe: Recipe) -> Iterator[Finding]:
    """Find means in the other order of colours, and those of images from 0 to 1."""
    mean, std = recipe.mean, recipe.std
    if len(mean) == 3:
        for known in _RGB_MEANS:
            order = next((o for o, m in (("rgb", known), ("bgr", known[::-1])) if _close(mean, m)), None)
            if order and order != recipe.color:
                yield Finding(
                    WARNING,
                    "color-order",
                    f"--mean {','.join(map(str, mean))} is in {order.upper()} order, and the images are "
                    f"{recipe.color.upper()}",
                    f"use --color {order}, or turn the means round",
                )
    if recipe.normalises and std and max(std) <= 1 and max(mean, default=0) <= 1 and recipe.calibrates_with_images:
        yield Finding(
            WARNING,
            "mean-scale",
            "--mean and --std are for images from 0 to 1, and images are 0 to 255 here",
            "multiply both by 255",
        )


def _close(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(abs(a - b) <= 0.01 * max(abs(b), 1e-6) for a, b in zip(one, other))
