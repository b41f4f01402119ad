# SPDX-License-Identifier: Apache-2.0
"""The inputs of a command that runs a model: from files, or random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._messages.names import no_input
from .._tensors.element_types import PLAIN_INTEGERS
from ..errors import RknnValueError
from .array_files import read_arrays
from .images import FITS, image_inputs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from .._tensors.node_arg import NodeArg

    Feed = dict[str, npt.NDArray[Any]]


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Add ``--input`` and its like to a parser, or to a group of one."""
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="a .npy file or an image for an input, one for each, named or in the model's order; or an .npz file with "
        "all of them (default: random numbers)",
    )
    parser.add_argument(
        "--fit",
        choices=FITS,
        help="what to do with an image of another shape than the input's: stretch it, keep its proportions "
        "and fill the rest with grey, or cut off what is too much (default: as the model's metadata says, or stretch)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of random inputs and arrivals (0)")


def feed(arguments: argparse.Namespace, inputs: Sequence[NodeArg], metadata: Mapping[str, str]) -> Feed:
    """Return the inputs that the arguments name; random ones if they name none. Images are prepared as metadata says.

    Raises:
        RknnValueError: an input is missing, or there is none of that name.
    """
    if not arguments.input:
        return random_feed(inputs, arguments.seed)
    names = [node.name for node in inputs]
    arrays = read_arrays(arguments.input, names, image_inputs(inputs, metadata, arguments.fit))
    missing = [name for name in names if name not in arrays]
    unknown = next((name for name in arrays if name not in names), None)
    if unknown is not None:
        raise RknnValueError(no_input(unknown, names, missing))
    if missing:
        raise RknnValueError(f"nothing is given for input {missing[0]!r}; add --input {missing[0]}=FILE.npy")
    return arrays


def random_feed(inputs: Sequence[NodeArg], seed: int = 0) -> Feed:
    """Return random values for every input, the same for the same seed; integers, which may be indices, are 0."""
    if seed < 0:
        raise RknnValueError(f"--seed {seed} is below 0")
    generator = np.random.default_rng(seed)
    return {
        node.name: np.zeros(node.shape, node.dtype)
        if node.dtype in PLAIN_INTEGERS
        else generator.random(node.shape, np.float32)
        for node in inputs
    }


def described(arguments: argparse.Namespace) -> str:
    """Return where the inputs come from."""
    return ", ".join(arguments.input) if arguments.input else f"random (seed {arguments.seed})"
