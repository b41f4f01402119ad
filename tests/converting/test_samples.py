# SPDX-License-Identifier: Apache-2.0
"""Samples from images, arrays and lists, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import RknnValueError
from ez_rknn_async.converting import calibration, original, recipe

from . import networks

Image = pytest.importorskip("PIL.Image")


def samples(*paths: Path, model: Any = None, **settings: Any) -> list[Any]:
    given = recipe.make({"model": "x.onnx", "images": [str(path) for path in paths], **settings})
    return calibration.read_samples(given, original.Original(model or networks.convolutions()).inputs)


def codes(read: list[Any], **settings: Any) -> dict[str, str]:
    given = recipe.make({"model": "x.onnx", "images": ["x"], **settings})
    return {finding.code: finding.text for finding in calibration.inspect_samples(read, given)}


def photo(path: Path, size: tuple[int, int] = (64, 32), color: tuple[int, int, int] = (200, 100, 50)) -> Path:
    Image.new("RGB", size, color).save(path)
    return path


def test_a_folder_of_images_becomes_arrays_of_the_models_shape(tmp_path: Path) -> None:
    """Letterboxed, in the order of colours that the model wants."""
    photo(tmp_path / "a.png")
    photo(tmp_path / "b.png")
    (tmp_path / "notes.md").write_text("no image")
    first, _ = samples(tmp_path)
    assert first["x"].shape == networks.IMAGE
    assert first["x"][0, :, 16, 16].tolist() == [200, 100, 50]
    assert first["x"][0, :, 0, 0].tolist() == [114, 114, 114]
    (bgr,) = samples(tmp_path / "a.png", color="bgr", resize="stretch")
    assert bgr["x"][0, :, 0, 0].tolist() == [50, 100, 200]
    (cropped,) = samples(tmp_path / "a.png", resize="crop")
    assert (cropped["x"][0, 0] == 200).all()


def test_arrays_hold_one_sample_or_several_in_either_layout(tmp_path: Path) -> None:
    """As people have them."""
    random = np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32)
    np.save(tmp_path / "several.npy", random)
    np.save(tmp_path / "pixels.npy", random[0].transpose(1, 2, 0))
    assert len(samples(tmp_path / "several.npy")) == 3
    (one,) = samples(tmp_path / "pixels.npy")
    assert (one["x"][0] == random[0]).all()
    assert len(samples(tmp_path / "several.npy", samples=2)) == 2


def test_several_inputs_come_from_npz_files_or_a_list(tmp_path: Path) -> None:
    """The list is the compiler's own: a line a sample, with a file for each input."""
    model = networks.network([networks.node("Add", ["a", "b"], "y")], {"a": (1, 4), "b": (1, 4)}, ["y"], {})
    arrays = {name: np.full((1, 4), value, np.float32) for name, value in (("a", 1), ("b", 2))}
    np.savez(tmp_path / "both.npz", a=arrays["a"], b=arrays["b"])
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "list.txt").write_text("a.npy b.npy\nb.npy a.npy\n")
    assert [sample["b"][0, 0] for sample in samples(tmp_path / "both.npz", model=model)] == [2]
    assert [sample["b"][0, 0] for sample in samples(tmp_path / "list.txt", model=model)] == [2, 1]
    with pytest.raises(RknnValueError, match=r"2 \(a, b\); give \.npz files"):
        samples(tmp_path / "a.npy", model=model)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_numbers_that_are_none_are_refused_with_their_file(tmp_path: Path, value: float, word: str) -> None:
    """One of them makes every range useless."""
    array = np.zeros(networks.IMAGE, np.float32)
    array[0, 1, 2, 3] = value
    np.save(tmp_path / "bad.npy", array)
    with pytest.raises(RknnValueError, match=rf"bad\.npy holds {word} \(1 of 3072 numbers\)"):
        samples(tmp_path)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """With what was given and what is expected."""
    np.save(tmp_path / "small.npy", np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(RknnValueError, match="shape 1x3x8x8, and the input 'x' takes 1x3x32x32"):
        samples(tmp_path / "small.npy")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(RknnValueError, match=r"text\.npy is no \.npy or \.npz file"):
        samples(tmp_path / "text.npy")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(RknnValueError, match=r"broken\.jpg is no image"):
        samples(tmp_path / "broken.jpg")
    with pytest.raises(RknnValueError, match=r"has no \.jpg"):
        samples(_empty(tmp_path))
    with pytest.raises(RknnValueError, match="No such file"):
        samples(tmp_path / "nowhere.npy")


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_normalised_samples_with_a_mean_are_found(tmp_path: Path) -> None:
    """Normalised twice, everything looks black."""
    read = samples(networks.noise(tmp_path / "n.npy"))
    assert "look normalised already" in codes(read, mean=(128.0,), std=(64.0,))["double-normalisation"]
    assert codes(read) == {}
    pixels = samples(networks.noise(tmp_path / "p.npy", scale=60))
    assert codes(pixels, mean=(128.0,), std=(64.0,)) == {}


def test_few_and_constant_samples_are_found(tmp_path: Path) -> None:
    """They calibrate to nothing."""
    np.save(tmp_path / "zero.npy", np.zeros(networks.IMAGE, np.float32))
    assert set(codes(samples(tmp_path / "zero.npy"))) == {"few-samples", "constant-samples"}
