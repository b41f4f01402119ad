# SPDX-License-Identifier: Apache-2.0
"""A recipe is a value that a file repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async import RknnValueError
from ez_rknn_async.converting import recipe

FULL = {
    "model": "a/net.onnx",
    "targets": ["rk3588", "rk3576"],
    "dtype": "w8a8",
    "images": ["a/photos", "b/more.npy"],
    "samples": 30,
    "mean": [1.5, 2.0, 3.0],
    "std": [4.0, 5.0, 6.0],
    "layout": "nhwc",
    "color": "bgr",
    "resize": "crop",
    "pad": 0,
    "shapes": {"x": [1, 3, 4, 5], 'odd "name"': [2]},
    "dynamic": [[[1, 3, 8, 8]], [[1, 3, 4, 4]]],
    "outputs": ["boxes", "scores"],
    "algorithm": "mmse",
    "method": "layer",
    "batch": 2,
    "single_core": True,
    "custom_string": "one\ntwo",
    "float_tensors": ["c2"],
    "config": {"optimization_level": 2, "compress_weight": True},
}


def test_a_file_repeats_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting, from any folder: paths in it are relative to it."""
    monkeypatch.chdir(tmp_path)
    made = recipe.make(FULL)
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "net.toml"
    file.write_text(recipe.as_toml(made, file.parent), encoding="utf-8")
    read = recipe.load("a/net.toml")
    assert [Path(path).resolve() for path in read.images] == [tmp_path / "a/photos", tmp_path / "b/more.npy"]
    assert recipe.make({**vars(read), "model": made.model, "images": made.images}) == made
    assert Path(read.model).resolve() == tmp_path / "a/net.onnx"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"targets": ["rk9999"]}, "target='rk9999' is none of rk3588"),
        ({"dtype": "int7"}, "dtype='int7' is none of fp16"),
        ({"dtype": "int8"}, "needs samples to calibrate with"),
        ({"std": [0.0]}, "must be above 0"),
        ({"mean": [1.0, 2.0, 3.0], "std": [1.0, 2.0]}, "mean has 3 numbers and std 2"),
        ({"samples": 0}, "samples=0 is not a positive number"),
        ({"config": {"mean_values": []}}, "the recipe's own 'mean'"),
        ({"float_tensors": ["c"]}, "float16 throughout"),
        ({"colour": "rgb"}, "colour"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_possible(settings: dict[str, Any], message: str) -> None:
    """Before anything is read or built."""
    with pytest.raises(RknnValueError, match=message):
        recipe.make({"model": "x.onnx", **settings})


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    """With what is wrong in it."""
    file = tmp_path / "r.toml"
    for content, message in (
        ("model = ", "is not a TOML file"),
        ("x = 1", "has 'x'; known are"),
        ("", "names no model"),
    ):
        file.write_text(content)
        with pytest.raises(RknnValueError, match=message):
            recipe.load(file)
