# SPDX-License-Identifier: Apache-2.0
"""Arrays on the command line: ``NAME=FILE.npy``, ``FILE.npy`` for the next input, or all of them in ``FILE.npz``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RknnValueError
from .image_input import is_image, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]


def read_arrays(
    given: Sequence[str], names: Sequence[str], metadata: Mapping[str, str] | None = None
) -> dict[str, Array]:
    """Read the arrays by input name; a file without a name is for the first input that has none yet.

    Images are prepared as ``metadata`` says.

    Raises:
        RknnValueError: there is one file too many, or one that cannot be read.
    """
    arrays: dict[str, Array] = {}
    for argument in given:
        for name, array in _arrays_in(argument):
            left = [each for each in names if each not in arrays]
            if not name and not left:
                raise RknnValueError(f"{argument} is one too many; the model has {len(names)} input(s)")
            arrays[name or left[0]] = (
                array if array is not None else prepared(_file(argument), name or left[0], metadata or {})
            )
    return arrays


def _file(argument: str) -> str:
    name, _, file = argument.partition("=")
    return file or name


def _arrays_in(argument: str) -> Iterator[tuple[str, Array | None]]:
    """Yield names and arrays; None in place of an image, whose preparation depends on the input."""
    name, separator, file = argument.partition("=")
    if not separator:
        name, file = "", argument
    if is_image(file):
        yield name, None
        return
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
