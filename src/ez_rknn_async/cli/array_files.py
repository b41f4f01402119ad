# SPDX-License-Identifier: Apache-2.0
"""Arrays on the command line: ``NAME=FILE.npy``, ``FILE.npy`` for the next input, or all of them in ``FILE.npz``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RknnValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]


def read_arrays(given: Sequence[str], names: Sequence[str]) -> dict[str, Array]:
    """Read the arrays by input name; a file without a name is for the first input that has none yet.

    Raises:
        RknnValueError: there is one file too many, or one that cannot be read.
    """
    arrays: dict[str, Array] = {}
    for argument in given:
        for name, array in _arrays_in(argument):
            left = [each for each in names if each not in arrays]
            if not name and not left:
                raise RknnValueError(f"{argument} is one too many; the model has {len(names)} input(s)")
            arrays[name or left[0]] = array
    return arrays


def _arrays_in(argument: str) -> Iterator[tuple[str, Array]]:
    name, separator, file = argument.partition("=")
    if not separator:
        name, file = "", argument
    try:
        content = np.load(file, allow_pickle=False)
    except OSError as error:
        raise RknnValueError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RknnValueError(f"{file} is no .npy or .npz file with numbers, as numpy.save() writes them") from error
    if isinstance(content, np.ndarray):
        yield name, content
        return
    with content:
        for key in content.files:
            yield key, content[key]
