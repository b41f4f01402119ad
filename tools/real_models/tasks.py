# SPDX-License-Identifier: Apache-2.0
"""The meaning of outputs: boxes, text, classes, and whether two results have the same.

Each function returns an agreement: a function of our outputs and the official ones. A cosine says how near numbers are;
these say if a user would notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from .model import Agreement, Arrays

    Boxes = list[tuple[float, ...]]  # left, top, right, bottom, class

_SAME_BOX = 0.8  # intersection over union


def same_class(output: int = 0, axis: int = -1) -> Agreement:
    """Agree on the most likely class, everywhere along the other axes."""
    return _equal(lambda outputs: np.argmax(outputs[output], axis=axis).tolist())


def same_classes() -> Agreement:
    """Agree on the most likely class of every output, such as the digits of a captcha."""
    return _equal(lambda outputs: [int(np.argmax(output)) for output in outputs])


def same_text(blank: int = 0, axis: int = -1) -> Agreement:
    """Agree on the text: the most likely letter of each step, without repetitions and blanks."""

    def text(outputs: Arrays) -> list[int]:
        best = np.argmax(outputs[0], axis=axis).ravel()
        kept = best[np.concatenate([[True], best[1:] != best[:-1]])]
        return [int(letter) for letter in kept if letter != blank]

    return _equal(text)


def same_indices() -> Agreement:
    """Agree on the whole numbers that the model itself returns."""
    return _equal(lambda outputs: np.rint(outputs[0]).astype(int).tolist())


def same_decision(threshold: float = 0.5, output: int = 0) -> Agreement:
    """Agree on which numbers are above a threshold."""
    return _equal(lambda outputs: (outputs[output] > threshold).tolist())


def same_score(tolerance: float, output: int = 0) -> Agreement:
    """Agree on a score up to a tolerance."""
    return lambda ours, official: bool(np.abs(ours[output] - official[output]).max() <= tolerance)


def same_signal(decibels: float, output: int = 0) -> Agreement:
    """Agree on a signal, with a difference that many decibels below it."""

    def agree(ours: Arrays, official: Arrays) -> bool:
        power = float(np.square(official[output], dtype=np.float64).sum())
        error = float(np.square(ours[output] - official[output], dtype=np.float64).sum())
        return error <= power * 10 ** (-decibels / 10)

    return agree


def same_boxes(read: Callable[[Arrays], Boxes]) -> Agreement:
    """Agree on the boxes: as many, each with a counterpart of the same class in nearly the same place."""

    def agree(ours: Arrays, official: Arrays) -> bool:
        found, left = read(ours), read(official)
        if len(found) != len(left):
            return False
        for box in found:
            partner = max(left, key=lambda other: _overlap(box, other))
            if _overlap(box, partner) < _SAME_BOX or box[4] != partner[4]:
                return False
            left.remove(partner)
        return True

    return agree


def yolo8(outputs: Arrays) -> Boxes:
    """Read the boxes of a YOLOv8: centre, size and class scores of each cell."""
    cells = outputs[0][0].T
    return _best(_around(cells[:, :4]), cells[:, 4:])


def yolox(outputs: Arrays) -> Boxes:
    """Read the boxes of a YOLOX for 416 x 416: relative to the cell, then how sure it is, then classes."""
    cells = outputs[0][0]
    places = []
    for stride in (8, 16, 32):
        count = 416 // stride
        rows, columns = np.divmod(np.arange(count * count), count)
        places.append(np.stack([columns, rows, np.full(count * count, stride)], axis=1))
    grid = np.concatenate(places)
    strides = grid[:, 2:]
    boxes = np.concatenate(
        [(cells[:, :2] + grid[:, :2]) * strides, np.exp(np.minimum(cells[:, 2:4], 9)) * strides], axis=1
    )
    return _best(_around(boxes), cells[:, 4:5] * cells[:, 5:])


def center_face(outputs: Arrays) -> Boxes:
    """Read the boxes of CenterFace: a heat map, sizes and offsets at a quarter of the resolution."""
    heat, size, offset = outputs[0][0, 0], outputs[1][0], outputs[2][0]
    rows, columns = np.nonzero(heat > 0.35)
    height, width = (np.exp(np.minimum(plane[rows, columns], 9)) * 4 for plane in size)
    y, x = ((place + plane[rows, columns] + 0.5) * 4 for place, plane in zip((rows, columns), offset))
    return _best(_around(np.stack([x, y, width, height], axis=1)), heat[rows, columns][:, None])


def regions(outputs: Arrays) -> Boxes:
    """Read the boxes around the connected regions of a mask, as text detectors do; tiny ones are no text."""
    left = {(int(row), int(column)) for row, column in np.argwhere(outputs[0][0, 0] > 0.3)}
    found: Boxes = []
    while left:
        region, edge = [], [left.pop()]
        while edge:
            row, column = edge.pop()
            region.append((row, column))
            near = ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1))
            edge += [place for place in near if place in left]
            left.difference_update(near)
        rows, columns = zip(*region)
        if len(region) >= 16:
            found.append((min(columns), min(rows), max(columns) + 1, max(rows) + 1, 0))
    return found


def _around(boxes: NDArray[Any]) -> NDArray[Any]:
    """Turn centres and sizes into corners."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _best(boxes: NDArray[Any], scores: NDArray[Any], threshold: float = 0.3, overlap: float = 0.45) -> Boxes:
    """Keep the best of the boxes that overlap."""
    kept: Boxes = []
    sure, classes = scores.max(axis=1, initial=0), scores.argmax(axis=1)
    for place in np.argsort(-sure, kind="stable"):
        if sure[place] <= threshold:
            break
        box = (*map(float, boxes[place]), float(classes[place]))
        if all(_overlap(box, other) < overlap for other in kept):
            kept.append(box)
    return kept


def _overlap(one: Iterable[float], other: Iterable[float]) -> float:
    (left, top, right, bottom, *_), (left2, top2, right2, bottom2, *_) = one, other
    width, height = min(right, right2) - max(left, left2), min(bottom, bottom2) - max(top, top2)
    shared = max(0.0, width) * max(0.0, height)
    both = (right - left) * (bottom - top) + (right2 - left2) * (bottom2 - top2) - shared
    return shared / both if both > 0 else 0.0


def _equal(read: Callable[[Arrays], Any]) -> Agreement:
    return lambda ours, official: bool(read(ours) == read(official))
