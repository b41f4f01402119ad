# SPDX-License-Identifier: Apache-2.0
"""A build: a recipe and its model become ``.rknn`` files, each with its recipe and metadata beside it.

Everything is made in a temporary folder; the files move to their names when all of them are complete.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._host.files import publish_text, published
from ..errors import RknnError
from . import calibration
from .conversation import ToolkitError, ask
from .finding import Finding, refuse
from .heads import automatic_cut
from .inspection import inspect
from .metadata import custom_string, sidecar
from .original import Original, cut, read, with_shapes
from .recipe import DTYPES, as_toml
from .toolkit_errors import not_lowered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from .calibration import Sample
    from .recipe import Recipe
    from .toolkit import Environment

LOG_SUFFIX, RECIPE_SUFFIX, METADATA_SUFFIX = ".log", ".toml", ".metadata.json"


@dataclass(frozen=True)
class Prepared:
    """A model that is ready to be built.

    Attributes:
        recipe: with the cut that was chosen.
        original: with fixed shapes, and cut.
        samples: to calibrate with.
        findings: what was noticed on the way.
    """

    recipe: Recipe
    original: Original
    samples: Sequence[Sample] = ()
    findings: Sequence[Finding] = field(default_factory=tuple)


def prepare(recipe: Recipe) -> Prepared:
    """Read the model and its samples, and look at both.

    Raises:
        RknnModelError: the model is damaged.
        ConversionError: it cannot be built; carries what was found.
        RknnValueError: the samples do not fit.
    """
    whole = with_shapes(read(recipe.model), recipe.shapes)
    outputs = recipe.outputs or (automatic_cut(whole) if recipe.cut else ())
    recipe = replace(recipe, outputs=outputs)
    original = cut(whole, outputs) if outputs else whole
    findings = inspect(original, recipe)
    refuse(findings)
    samples = calibration.read_samples(recipe, original.inputs)
    findings += calibration.inspect_samples(samples, recipe)
    return Prepared(recipe, original, samples, findings)


def build(
    prepared: Prepared,
    target: str,
    output: Path,
    environment: Environment,
    *,
    log: Path | None = None,
    simulated: Simulated | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> None:
    """Build for one target, and write the file under its name only when it is complete.

    Args:
        log: takes the toolkit's log; None: not kept.
        simulated: is filled with what the official simulator computes.

    Raises:
        ToolkitError: the toolkit failed, or has no code for an operator.
    """
    with tempfile.TemporaryDirectory(prefix="ezrknn-convert-") as name:
        folder = Path(name)
        printed = folder / "toolkit.log"
        made = folder / "made.rknn"
        request = _request(prepared, target, folder, made)
        if simulated is not None:
            request["simulate"] = simulated.request(folder)
        try:
            ask(environment, request, folder=folder, log=printed, on_stage=on_stage)
            _refuse_unlowered(printed)
            if not made.is_file():
                raise ToolkitError("the toolkit reported success and wrote no file")
        finally:
            if log is not None and printed.exists():
                publish(printed, log)
        if simulated is not None:
            simulated.read()
        publish(made, output)


def _request(prepared: Prepared, target: str, folder: Path, made: Path) -> dict[str, Any]:
    recipe, original = prepared.recipe, prepared.original
    source = folder / "model.onnx"
    original.save(source)
    options: dict[str, Any] = {"do_quantization": recipe.is_quantised}
    if recipe.is_quantised:
        options["dataset"] = str(calibration.write_dataset(prepared.samples, folder))
    if recipe.batch:
        options["rknn_batch_size"] = recipe.batch
    return {
        "do": "build",
        "config": _config(prepared, target),
        "load": {"model": str(source)},
        "build": options,
        "float_tensors": list(recipe.float_tensors),
        "export": str(made),
    }


def _config(prepared: Prepared, target: str) -> dict[str, Any]:
    recipe = prepared.recipe
    config: dict[str, Any] = {"target_platform": target, **recipe.config}
    if recipe.normalises:
        config["mean_values"], config["std_values"] = _statistics(prepared)
    dtype = DTYPES[recipe.precision]
    if dtype is not None:
        config.update(quantized_dtype=dtype, quantized_algorithm=recipe.algorithm, quantized_method=recipe.method)
    elif recipe.precision == "bf16":
        config["float_dtype"] = "bfloat16"
    for setting, value in (("single_core_mode", recipe.single_core), ("remove_weight", recipe.remove_weight)):
        if value:
            config[setting] = True
    if recipe.dynamic:
        config["dynamic_input"] = [[list(shape) for shape in shapes] for shapes in recipe.dynamic]
    text = custom_string(recipe, prepared.original)
    if text:
        config["custom_string"] = text
    return config


def _statistics(prepared: Prepared) -> tuple[list[list[float]], list[list[float]]]:
    """Return mean and deviation of every input, along its second dimension, which is how the toolkit takes them.

    Those of inputs that are no images change nothing.
    """
    mean, std = _alike(prepared.recipe.mean), _alike(prepared.recipe.std)
    count = max(len(mean), len(std))
    ports = prepared.original.inputs
    fitting = [port for port in ports if port.layout and count in (1, port.shape[1])]
    if not fitting:
        raise RknnError(
            f"--mean/--std have {count} numbers, and no input has so many channels in its second dimension",
            hint="give one number, or one for each channel of an input in NCHW order; normalise others in the model",
        )
    means = [_spread(mean if port in fitting else (), port.shape, 0.0) for port in ports]
    deviations = [_spread(std if port in fitting else (), port.shape, 1.0) for port in ports]
    return means, deviations


def _alike(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return numbers[:1] if len(set(numbers)) == 1 else numbers


def _spread(numbers: tuple[float, ...], shape: tuple[int, ...], default: float) -> list[float]:
    count = shape[1] if len(shape) > 1 else 1
    return list(numbers or (default,)) * (count if len(numbers) < 2 else 1)


def _refuse_unlowered(log: Path) -> None:
    """Refuse what the compiler builds as custom operators: a board would ask for plug-ins that nobody has."""
    left = not_lowered(log.read_text(errors="replace")) if log.exists() else []
    if left:
        names = ", ".join(f"{node} ({operator})" for node, operator in left)
        raise ToolkitError(
            f"the compiler has no code for {names}; the file would need custom operators on the board",
            node=left[0][0],
            operator=left[0][1],
            hint="replace the operator in the export, or cut the model before it with --output-tensor",
        )


class Simulated:
    """What the official simulator computes for some samples, from the very build that makes the file."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples
        self._folder = Path()
        self.outputs: list[list[NDArray[Any]]] = []

    def request(self, folder: Path) -> dict[str, Any]:
        """Write the samples and return what to ask of the toolkit's program."""
        self._folder = folder / "simulated"
        self._folder.mkdir()
        files = []
        for number, sample in enumerate(self._samples):
            files.append([str(self._folder / f"in{number}_{index}.npy") for index in range(len(sample))])
            for file, array in zip(files[-1], sample.values()):
                np.save(file, array)
        return {"samples": files, "folder": str(self._folder)}

    def read(self) -> None:
        """Read what was computed."""
        for number in range(len(self._samples)):
            count = len(list(self._folder.glob(f"{number}_*.npy")))
            self.outputs.append([np.load(self._folder / f"{number}_{index}.npy") for index in range(count)])


def publish(made: Path, path: Path) -> None:
    """Move a complete file to its name: at no moment is half of it there."""
    with published(path) as temporary:
        shutil.copyfile(made, temporary)


def write_beside(prepared: Prepared, target: str, output: Path) -> Iterator[Path]:
    """Write the recipe and the metadata beside a result; yield their paths."""
    recipe = replace(prepared.recipe, targets=(target,), cut=None)
    texts = {
        RECIPE_SUFFIX: as_toml(recipe, output.parent.resolve()),
        METADATA_SUFFIX: json.dumps(sidecar(recipe, prepared.original), indent=1, ensure_ascii=False) + "\n",
    }
    for suffix, text in texts.items():
        path = output.with_suffix(suffix)
        publish_text(text, path)
        yield path
