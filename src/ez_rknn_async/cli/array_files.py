# SPDX-License-Identifier: Apache-2.0
"""Arrays on the command line: ``NAME=FILE.npy``, ``FILE.npy`` for the next input, or all of them in ``FILE.npz``.

Where a command takes images, ``FILE.jpg`` and the like stand for arrays as well.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from .._messages.names import no_input
from ..errors import RknnValueError
from .images import is_image, read_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from .images import ImageInput

    Array = npt.NDArray[Any]


# A file that is cut short or made up: text for a number, nothing at all, or a size beyond all memory.
_DAMAGED = (ValueError, EOFError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error)


def read_arrays(given: Sequence[str], names: Sequence[str], images: Mapping[str, ImageInput]) -> dict[str, Array]:
    """Read the arrays by input name; a file without a name is for the first input that has none yet.

    Args:
        given: the arguments.
        names: those of the inputs, in the model's order.
        images: the inputs that may be given as images, by name.

    Raises:
        RknnValueError: there is one file too many, or one that cannot be read.
    """
    arrays: dict[str, Array] = {}
    for argument in given:
        name, file = _split(argument)
        if is_image(file):
            name = name or _next(argument, names, arrays)
            arrays[name] = _image(file, name, names, images)
            continue
        for key, array in _arrays_in(name, file):
            arrays[key or _next(argument, names, arrays)] = array
    return arrays


def _image(file: str, name: str, names: Sequence[str], images: Mapping[str, ImageInput]) -> Array:
    if name not in names:
        raise RknnValueError(no_input(name, names))
    if name not in images:
        raise RknnValueError(
            f"{file} is an image, and the model's metadata does not say how to prepare it for input {name!r}; give a "
            ".npy file (files of ezrknn convert have it)"
        )
    return read_image(file, images[name])


def _next(argument: str, names: Sequence[str], arrays: Mapping[str, Array]) -> str:
    """Return the first input that has no array yet."""
    left = [each for each in names if each not in arrays]
    if not left:
        raise RknnValueError(f"{argument} is one too many; the model has {len(names)} input(s)")
    return left[0]


def _split(argument: str) -> tuple[str, str]:
    """Return the name and the file of ``NAME=FILE``; the name is empty if there is none."""
    name, separator, file = argument.partition("=")
    return (name, file) if separator else ("", argument)


def _arrays_in(name: str, file: str) -> Iterator[tuple[str, Array]]:
    try:
        with open(file, "rb") as stream:
            content = np.load(stream, allow_pickle=False)
            arrays = {name: content} if isinstance(content, np.ndarray) else dict(content)
    except OSError as error:
        raise RknnValueError(f"{file or repr(file)} cannot be read: {error.strerror or error}") from error
    except _DAMAGED as error:
        raise RknnValueError(f"{file} is no .npy or .npz file with numbers, as numpy.save() writes them") from error
    yield from arrays.items()
