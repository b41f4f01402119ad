# SPDX-License-Identifier: Apache-2.0
"""Samples from what users have: folders of images, arrays, lists.

A sample has an array for each input, in ONNX order and raw: before mean and deviation, which the compiler applies.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper

from ..errors import RknnValueError
from .finding import WARNING, Finding
from .images import SUFFIXES, read_image
from .original import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .original import Port
    from .recipe import Recipe

    Array = NDArray[Any]
    Sample = Mapping[str, Array]

_FEW = 20
_ARRAYS = (".npy", ".npz")
# What normalised images look like, and raw ones do not.
_NORMALISED_LIMIT = 8.0


def read_samples(recipe: Recipe, ports: Sequence[Port]) -> list[Sample]:
    """Read the samples of a recipe, at most as many as it asks for, evenly out of all.

    Raises:
        RknnValueError: a file is missing, is not what it should be, does not fit, or holds NaN.
    """
    sources = [source for path in recipe.images for source in _sources(Path(path))]
    if recipe.images and not sources:
        raise RknnValueError(
            f"{', '.join(recipe.images)} has no {', '.join((*SUFFIXES, *_ARRAYS))} file to calibrate with"
        )
    samples = [sample for source in _evenly(sources, recipe.samples) for sample in _read(source, recipe, ports)]
    return _evenly(samples, recipe.samples)


def _evenly(items: list[Any], count: int) -> list[Any]:
    if len(items) <= count:
        return items
    return [items[number * len(items) // count] for number in range(count)]


def _sources(path: Path) -> Iterator[tuple[Path, ...]]:
    """Yield the files of each source of samples: one, or one for each input."""
    if path.is_dir():
        wanted = (*SUFFIXES, *_ARRAYS)
        yield from ((file,) for file in sorted(path.rglob("*")) if file.suffix.lower() in wanted)
    elif path.suffix.lower() in (".txt", ".lst", ".list"):
        for line in _lines(path):
            yield tuple(path.parent / name for name in line.split())
    else:
        yield (path,)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RknnValueError(f"the list {path} cannot be read: {getattr(error, 'strerror', error)}") from error
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _read(files: tuple[Path, ...], recipe: Recipe, ports: Sequence[Port]) -> list[Sample]:
    """Read the samples of one source: an image, an array for one or several, or one file for each input."""
    if len(files) == 1 and files[0].suffix.lower() == ".npz":
        arrays = _npz(files[0], ports)
    elif len(files) != len(ports):
        names = ", ".join(port.name for port in ports)
        raise RknnValueError(
            f"{files[0]} is for one input, and the model has {len(ports)} ({names}); give .npz files with an array for "
            "each, or a list whose lines name one .npy file for each"
        )
    else:
        arrays = {port.name: _one(file, port, recipe) for file, port in zip(files, ports)}
    pieces = {port.name: _pieces(arrays[port.name], port, files[0]) for port in ports}
    counts = {name: len(each) for name, each in pieces.items()}
    if len(set(counts.values())) > 1:
        raise RknnValueError(f"{files[0]} has arrays for different numbers of inferences: {counts}")
    return [dict(zip(pieces, arrays)) for arrays in zip(*pieces.values())]


def _npz(file: Path, ports: Sequence[Port]) -> dict[str, Array]:
    content = _loaded(file)
    missing = [port.name for port in ports if port.name not in content]
    if missing:
        raise RknnValueError(f"{file} has no array {missing[0]!r}; it has {', '.join(content)}")
    return {port.name: content[port.name] for port in ports}


def _loaded(file: Path) -> Any:
    try:
        content = np.load(file, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except OSError as error:
        raise RknnValueError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RknnValueError(f"{file} is no .npy or .npz file with numbers, as numpy.save() writes them") from error


def _one(file: Path, port: Port, recipe: Recipe) -> Array:
    if file.suffix.lower() not in SUFFIXES:
        array: Array = _loaded(file)
        return array
    layout = recipe.layout or (port.layout or "").lower()
    if not layout:
        raise RknnValueError(f"{file} is an image, and the input {port.name!r} ({written(port.shape)}) takes none")
    return read_image(file, port.shape, layout=layout, color=recipe.color, resize=recipe.resize, pad=recipe.pad)


def _pieces(array: Array, port: Port, file: Path) -> list[Array]:
    """Split an array into single inferences, each of the input's shape and type."""
    if array.dtype == object or not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise RknnValueError(f"{file} holds {array.dtype}, and the input {port.name!r} takes numbers")
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        kind = "NaN" if np.isnan(array).any() else "infinity"
        count = int((~np.isfinite(array)).sum())
        raise RknnValueError(
            f"{file} holds {kind} ({count} of {array.size} numbers): every range that is calibrated with it would be "
            "useless; remove the file, or make it again"
        )
    array = _in_order(array, port, file)
    converted = array.astype(helper.tensor_dtype_to_np_dtype(port.element_type), copy=False)
    return np.split(converted, max(1, len(converted) // port.shape[0])) if port.shape else [converted]


def _in_order(array: Array, port: Port, file: Path) -> Array:
    """Bring an array into the input's shape: with the batch, and pixels into its order of dimensions."""
    shape = port.shape
    if array.shape == shape[1:] and shape and shape[0] == 1:
        array = array[np.newaxis]
    if array.ndim == len(shape) and array.shape[1:] == shape[1:] and array.shape[0] % shape[0] == 0 and len(array):
        return array
    if len(shape) == 4:
        pixels = array[np.newaxis] if array.ndim == 3 else array
        for order, meant in (((0, 3, 1, 2), "NCHW"), ((0, 2, 3, 1), "NHWC")):
            if pixels.ndim == 4 and port.layout == meant and pixels.transpose(order).shape[1:] == shape[1:]:
                turned: Array = pixels.transpose(order)
                return turned
    raise RknnValueError(
        f"{file} has the shape {written(array.shape)}, and the input {port.name!r} takes {written(shape)}, or "
        "several of "
        "them along the first dimension"
    )


def inspect_samples(samples: Sequence[Sample], recipe: Recipe) -> Iterator[Finding]:
    """Yield what is suspicious about the samples."""
    if recipe.is_quantised and len(samples) < _FEW:
        yield Finding(
            WARNING,
            "few-samples",
            f"{len(samples)} samples are few to calibrate with",
            f"give {_FEW} to 200, as varied as what the model will see",
        )
    for name in samples[0] if samples else ():
        arrays = [sample[name] for sample in samples]
        low, high = min(float(each.min()) for each in arrays), max(float(each.max()) for each in arrays)
        if low == high:
            yield Finding(
                WARNING,
                "constant-samples",
                f"every number for the input {name!r} is {low:g}",
                "give real samples",
                (name,),
            )
        elif recipe.normalises and arrays[0].ndim == 4 and _looks_normalised(low, high, recipe):
            yield Finding(
                WARNING,
                "double-normalisation",
                f"the samples for {name!r} look normalised already ({low:.3g} to {high:.3g}), and --mean/--std "
                "are applied "
                "once more",
                "give raw samples (0 to 255), or leave --mean and --std out",
                (name,),
            )


def _looks_normalised(low: float, high: float, recipe: Recipe) -> bool:
    """Compare the samples' range with what mean and deviation are made for."""
    spread = max(recipe.std, default=1.0)
    return spread > _NORMALISED_LIMIT and low >= -_NORMALISED_LIMIT and high <= _NORMALISED_LIMIT


def write_dataset(samples: Sequence[Sample], folder: Path) -> Path:
    """Write the toolkit's list of samples, and the arrays that it names; return its path."""
    lines = []
    for number, sample in enumerate(samples):
        files = [folder / f"sample{number}_{index}.npy" for index in range(len(sample))]
        for file, array in zip(files, sample.values()):
            np.save(file, array)
        lines.append(" ".join(map(str, files)))
    dataset = folder / "dataset.txt"
    dataset.write_text("\n".join(lines) + "\n")
    return dataset


def noise_samples(ports: Sequence[Port], recipe: Recipe, count: int = 2) -> list[Sample]:
    """Return random samples for a model that nobody gave any; the same every time."""
    random = np.random.default_rng(0)
    return [{port.name: _noise(port, recipe, random) for port in ports} for _ in range(count)]


def _noise(port: Port, recipe: Recipe, random: np.random.Generator) -> Array:
    dtype = helper.tensor_dtype_to_np_dtype(port.element_type)
    if not port.is_float:
        return random.integers(0, 2, port.shape).astype(dtype)
    if port.layout and recipe.normalises:
        return random.integers(0, 256, port.shape).astype(dtype)
    return random.standard_normal(port.shape).clip(-3, 3).astype(dtype)
