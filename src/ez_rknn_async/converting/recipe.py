# SPDX-License-Identifier: Apache-2.0
"""A recipe: everything that decides what a conversion makes, as a value and as a TOML file."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RknnValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGETS = ("rk3588", "rk3576", "rk3566", "rk3568", "rk3562", "rv1126b")
# What a user says, and the toolkit's name for it; None: no quantisation.
DTYPES: dict[str, str | None] = {
    "fp16": None,
    "bf16": None,
    "int8": "w8a8",
    "w8a8": "w8a8",
    "w8a16": "w8a16",
    "w16a16i_dfp": "w16a16i_dfp",
    "w4a16": "w4a16",
}
ALGORITHMS = ("normal", "mmse", "kl_divergence", "gdq")
METHODS = ("channel", "layer", *(f"group{size}" for size in range(32, 257, 32)))
COLORS, LAYOUTS, RESIZES = ("rgb", "bgr"), ("nchw", "nhwc"), ("letterbox", "stretch", "crop")
# The recipe has these under names of its own.
_OWN_CONFIG = {
    "mean_values": "mean",
    "std_values": "std",
    "target_platform": "target",
    "quantized_dtype": "dtype",
    "quantized_algorithm": "algorithm",
    "quantized_method": "method",
    "dynamic_input": "dynamic",
}


@dataclass(frozen=True)
class Recipe:
    """How to convert a model. Paths in it are relative to the working directory.

    Attributes:
        model: the ONNX file.
        targets: the SoCs, such as ``("rk3588",)``.
        dtype: a key of ``DTYPES``, or None: int8 if there are samples to calibrate with, otherwise fp16.
        images: folders of images, images, ``.npy``, ``.npz`` and lists of such, to calibrate with.
        samples: how many of them, at most.
        mean, std: of each channel, in the unit of the samples (0 to 255 for images).
        layout: of the model's image input, "nchw" or "nhwc"; None: by its shape.
        color: the order of the channels that the model was trained with.
        resize: how an image gets the model's size.
        pad: the grey value beside a letterboxed image.
        shapes: of inputs whose shape is open.
        dynamic: sets of shapes of all inputs, largest first, for a model with dynamic shapes.
        outputs: the tensors to cut the model at; empty: its own outputs.
        cut: "auto" to cut heads that int8 would break.
        algorithm, method: of the quantisation.
        batch: inferences that one call makes.
        single_core: leave the commands for several cores out (RK3588).
        custom_string: text to keep in the file; None: the preprocessing, as JSON.
        remove_weight: leave the weights out, to share those of another file.
        float_tensors: results of layers that stay in float16 in a quantised model.
        config: any other setting of the toolkit's ``config()``.
    """

    model: str
    targets: tuple[str, ...] = ("rk3588",)
    dtype: str | None = None
    images: tuple[str, ...] = ()
    samples: int = 100
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: str | None = None
    color: str = "rgb"
    resize: str = "letterbox"
    pad: int = 114
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dynamic: tuple[tuple[tuple[int, ...], ...], ...] = ()
    outputs: tuple[str, ...] = ()
    cut: str | None = None
    algorithm: str = "normal"
    method: str = "channel"
    batch: int | None = None
    single_core: bool = False
    custom_string: str | None = None
    remove_weight: bool = False
    float_tensors: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, possible in (
            *(("target", target, TARGETS) for target in self.targets),
            ("dtype", self.dtype or "int8", tuple(DTYPES)),
            ("color", self.color, COLORS),
            ("layout", self.layout or "nchw", LAYOUTS),
            ("resize", self.resize, RESIZES),
            ("cut", self.cut or "auto", ("auto",)),
            ("algorithm", self.algorithm, ALGORITHMS),
            ("method", self.method, METHODS),
        ):
            if value not in possible:
                raise RknnValueError(f"{name}={value!r} is none of {', '.join(possible)}")
        if not self.targets:
            raise RknnValueError(f"targets is empty; name one or several of {', '.join(TARGETS)}")
        for name, number in (("samples", self.samples), ("batch", self.batch or 1)):
            if number < 1:
                raise RknnValueError(f"{name}={number} is not a positive number")
        if any(not deviation > 0 for deviation in self.std):
            raise RknnValueError(f"std={self.std} divides by {min(self.std)}; it must be above 0")
        if len({len(self.mean), len(self.std)} - {0, 1}) > 1:
            raise RknnValueError(
                f"mean has {len(self.mean)} numbers and std {len(self.std)}; give one, or one per channel"
            )
        for name in sorted(set(self.config) & set(_OWN_CONFIG)):
            raise RknnValueError(f"config names {name!r}, which is the recipe's own {_OWN_CONFIG[name]!r}; use that")
        if self.is_quantised and not self.images:
            raise RknnValueError(
                f"dtype={self.dtype!r} needs samples to calibrate with, and there are none; give a folder of images, "
                ".npy files or a list with --images, or use --dtype fp16"
            )
        if self.float_tensors and not self.is_quantised:
            raise RknnValueError(
                "float_tensors is for quantised models, and this is one in float16 throughout; leave it out"
            )

    @property
    def is_quantised(self) -> bool:
        """True if the model gets integers."""
        if self.dtype is None:
            return bool(self.images)
        return DTYPES[self.dtype] is not None

    @property
    def precision(self) -> str:
        """The element type, chosen if it was left open."""
        return self.dtype or ("int8" if self.images else "fp16")

    @property
    def normalises(self) -> bool:
        """True if mean or deviation change anything."""
        return any(self.mean) or any(deviation != 1 for deviation in self.std)

    @property
    def calibrates_with_images(self) -> bool:
        """True if samples are image files."""
        return bool(self.images) and not all(Path(path).suffix in (".npy", ".npz") for path in self.images)


def load(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe; paths in it are relative to its folder.

    Raises:
        RknnValueError: it cannot be read, or holds something unknown.
    """
    values = _read_toml(Path(path))
    known = {field.name for field in dataclasses.fields(Recipe)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise RknnValueError(f"the recipe {str(path)!r} has {unknown[0]!r}; known are {', '.join(sorted(known))}")
    if "model" not in values:
        raise RknnValueError(f'the recipe {str(path)!r} names no model; add: model = "model.onnx"')
    folder = Path(path).parent
    values["model"] = str(folder / values["model"])
    values["images"] = [str(folder / each) for each in values.get("images", ())]
    return make(values)


def make(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe of plain values; lists become tuples."""
    lists = ("targets", "images", "mean", "std", "outputs", "float_tensors")
    frozen: dict[str, Any] = {name: tuple(value) if name in lists else value for name, value in values.items()}
    if "shapes" in frozen:
        frozen["shapes"] = {name: tuple(shape) for name, shape in frozen["shapes"].items()}
    if "dynamic" in frozen:
        frozen["dynamic"] = tuple(tuple(tuple(shape) for shape in shapes) for shapes in frozen["dynamic"])
    try:
        return Recipe(**frozen)
    except TypeError as error:
        raise RknnValueError(f"the recipe is not as it should be: {error}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    tomllib: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RknnValueError(f"the recipe {str(path)!r} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RknnValueError(f"the recipe {str(path)!r} is not a TOML file: {error}") from error
    return content


def as_toml(recipe: Recipe, folder: Path) -> str:
    """Return a recipe as a TOML file for that folder, with what differs from the defaults, and the targets and type."""
    lines, tables = [], []
    for each in dataclasses.fields(Recipe):
        value = getattr(recipe, each.name)
        if each.name == "model":
            value = _relative(value, folder)
        elif each.name == "images":
            value = tuple(_relative(path, folder) for path in value)
        elif each.name == "dtype":
            value = recipe.precision
        if each.name in ("shapes", "config"):
            entries = [f"{json.dumps(key)} = {_toml(entry)}" for key, entry in value.items()]
            tables += [f"\n[{each.name}]", *entries] if entries else []
        elif each.name in ("model", "targets", "dtype") or (value is not None and value != each.default):
            lines.append(f"{each.name} = {_toml(value)}")
    return "\n".join(("# ezrknn convert --from THIS_FILE repeats it.", *lines, *tables)) + "\n"


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder)


def _toml(value: Any) -> str:
    """Write a value; JSON's texts, numbers and booleans are TOML's too."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(entry)}" for key, entry in value.items()) + "}"
    if value is None:
        raise RknnValueError("a recipe cannot hold None; leave the setting out")
    return json.dumps(value, ensure_ascii=False)
