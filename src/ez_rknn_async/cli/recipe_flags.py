# SPDX-License-Identifier: Apache-2.0
"""Flags that make up a recipe, for the commands that build."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..errors import RknnValueError

_LISTS = {"--target": "targets", "--images": "images", "--output-tensor": "outputs", "--keep-float": "float_tensors"}


def add_recipe_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags. Those that were not given are not in the result, so that a recipe's file decides."""
    add = parser.add_argument_group("recipe").add_argument
    none = argparse.SUPPRESS
    parser.add_argument(
        "--from", dest="recipe", metavar="RECIPE.toml", help="repeat a recipe; flags replace its settings"
    )
    parser.add_argument("--toolkit-python", metavar="PYTHON", help="a Python that has rknn-toolkit2")
    parser.add_argument(
        "--official-simulator", action="store_true", help="ask the compiler's own simulator too, and compare with it"
    )
    add(
        "--target",
        dest="targets",
        action="append",
        default=none,
        metavar="SOC",
        help="such as rk3588; several are built one by one",
    )
    add(
        "--dtype",
        default=none,
        help="int8, fp16, bf16, w8a16, w16a16i_dfp, w4a16 (default: int8 with --images, else fp16)",
    )
    add(
        "--images",
        nargs="+",
        default=none,
        metavar="PATH",
        help="to calibrate with: folders, images, .npy, .npz, or a list of them in a .txt",
    )
    add("--samples", type=int, default=none, metavar="N", help="of these at most, spread over all (default: 100)")
    add(
        "--mean",
        type=_numbers,
        default=none,
        metavar="R,G,B",
        help="subtracted from each channel by the runtime, in the images' unit (0 to 255)",
    )
    add("--std", type=_numbers, default=none, metavar="R,G,B", help="divides each channel, after the mean")
    add("--layout", choices=("nchw", "nhwc"), default=none, help="of the model's image input (default: by its shape)")
    add(
        "--color", choices=("rgb", "bgr"), default=none, help="the order that the model was trained with (default: rgb)"
    )
    add(
        "--resize",
        choices=("letterbox", "stretch", "crop"),
        default=none,
        help="how images get the model's size (default: letterbox)",
    )
    add("--pad", type=int, default=none, metavar="GREY", help="beside a letterboxed image (default: 114)")
    add(
        "--shape",
        dest="shapes",
        type=_shape,
        action="append",
        default=none,
        metavar="NAME=1x3x640x640",
        help="of an input whose shape is open",
    )
    add(
        "--dynamic",
        type=_shapes,
        action="append",
        default=none,
        metavar="SHAPE[,SHAPE]",
        help="one set of shapes of a model with dynamic shapes, the largest first",
    )
    add(
        "--output-tensor",
        dest="outputs",
        action="append",
        default=none,
        metavar="TENSOR",
        help="cut the model at this tensor (several times: in this order)",
    )
    add("--cut", choices=("auto",), default=none, help="cut heads that join boxes and scores")
    add(
        "--algorithm",
        choices=("normal", "mmse", "kl_divergence", "gdq"),
        default=none,
        help="of the quantisation (default: normal)",
    )
    add("--method", default=none, help="channel, layer, or group32 to group256 (default: channel)")
    add("--batch", type=int, default=none, metavar="N", help="inferences of one call")
    add("--single-core", action="store_true", default=none, help="leave the commands for several cores out (RK3588)")
    add(
        "--custom-string",
        default=none,
        metavar="TEXT",
        help="to keep in the file (default: how inputs are prepared, as JSON)",
    )
    add("--remove-weight", action="store_true", default=none, help="leave the weights out, to share another file's")
    add(
        "--keep-float",
        dest="float_tensors",
        action="append",
        default=none,
        metavar="TENSOR",
        help="keep the layer with this result in float16",
    )
    add(
        "--config",
        type=_setting,
        action="append",
        default=none,
        metavar="KEY=VALUE",
        help="any other setting of the toolkit's config()",
    )


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given."""
    names = [
        "targets",
        "dtype",
        "images",
        "samples",
        "mean",
        "std",
        "layout",
        "color",
        "resize",
        "pad",
        "shapes",
        "dynamic",
        "outputs",
        "cut",
        "algorithm",
        "method",
        "batch",
        "single_core",
        "custom_string",
        "remove_weight",
        "float_tensors",
        "config",
    ]
    settings = {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
    for name in ("shapes", "config"):
        if name in settings:
            settings[name] = dict(settings[name])
    return settings


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} should be numbers with commas, such as 123.675,116.28,103.53"
        ) from None


def _dimensions(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split("x"))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be a shape such as 1x3x640x640")
    return shape


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, shape = text.rpartition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} should be NAME=SHAPE, such as images=1x3x640x640")
    return name, _dimensions(shape)


def _shapes(text: str) -> tuple[tuple[int, ...], ...]:
    return tuple(_dimensions(part) for part in text.split(","))


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} should be KEY=VALUE, such as compress_weight=true")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def refuse_recipe(arguments: argparse.Namespace) -> None:
    """Refuse flags of a recipe where a finished file is given."""
    given = sorted(settings_of(arguments))
    if given:
        raise RknnValueError(f"{given[0]} is for building, and the model is built already; leave it out")
