# SPDX-License-Identifier: Apache-2.0
"""The inputs of a measurement: each request gets the next sample, or as many as ``--batch`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import RknnValueError
from .. import feeds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from ..._tensors.node_arg import NodeArg
    from ..feeds import Feed

_MOST = 256  # samples that are kept apart


def bench_feeds(arguments: argparse.Namespace, inputs: Sequence[NodeArg], metadata: Mapping[str, str]) -> list[Feed]:
    """Return the feeds that requests get in turn: files may hold several samples along the first dimension.

    Raises:
        RknnValueError: the inputs do not fit the model, or the batch does not.
    """
    feed = feeds.feed(arguments, inputs, metadata)
    samples = _samples(feed, inputs)
    if arguments.batch is None:
        return samples
    own = _batch_of(inputs)
    if arguments.batch % own:
        raise RknnValueError(f"--batch {arguments.batch} is no multiple of {own}, the samples of one inference")
    count = arguments.batch // own
    return [{name: np.concatenate([samples[i % len(samples)][name] for i in range(count)]) for name in feed}]


def inferences_in(feed: Feed, inputs: Sequence[NodeArg]) -> int:
    """Return the number of inferences that a feed makes."""
    node = next((node for node in inputs if node.shape), None)
    if node is None or np.ndim(feed[node.name]) != len(node.shape):
        return 1
    return max(1, len(feed[node.name]) // _batch_of(inputs))


def _batch_of(inputs: Sequence[NodeArg]) -> int:
    return next((node.shape[0] for node in inputs if node.shape), 1)


def _samples(feed: Feed, inputs: Sequence[NodeArg]) -> list[Feed]:
    """Cut arrays of several samples apart; what does not fit is left to the session, which says why."""
    counts = {
        feed[node.name].shape[0] / node.shape[0]
        for node in inputs
        if node.shape and len(node.shapes) <= 1 and feed[node.name].ndim == len(node.shape)
    }
    if len(counts) != 1 or (count := counts.pop()) != int(count) or count <= 1:
        return [feed]
    return [
        {
            node.name: feed[node.name][i * node.shape[0] : (i + 1) * node.shape[0]] if node.shape else feed[node.name]
            for node in inputs
        }
        for i in range(min(int(count), _MOST))
    ]
