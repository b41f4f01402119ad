# SPDX-License-Identifier: Apache-2.0
"""The measures of error, and the layer they blame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ez_rknn_async.model import Graph, load
from ez_rknn_async.simulator.comparison import compare
from ez_rknn_async.simulator.error_measures import Difference, Tally
from ez_rknn_async.simulator.samples import random_sample, split

from .recordings import recording

if TYPE_CHECKING:
    from ez_rknn_async.simulator.references import Values
    from ez_rknn_async.simulator.samples import Sample


def difference(ours: object, reference: object) -> Difference:
    tally = Tally()
    tally.add(np.asarray(ours), np.asarray(reference))
    return tally.difference()


def test_equal_tensors_have_no_error() -> None:
    """Tensors may be all zero, empty, or infinite."""
    for values in ([1.0, -2.0], [0.0, 0.0], [], [-math.inf, 1.0], [3, 4]):
        same = difference(values, values)
        assert (same.cosine, same.max_error, same.noise, same.snr_db) == (1.0, 0.0, 0.0, math.inf)


def test_measures_match_their_names() -> None:
    """A tenth of the amplitude is a hundredth of the power: 20 dB."""
    worse = difference([1.1, 0.0], [1.0, 0.0])
    assert worse.cosine == pytest.approx(1.0)
    assert worse.max_error == pytest.approx(0.1)
    assert worse.snr_db == pytest.approx(20)
    assert difference([0.0, 1.0], [1.0, 0.0]).cosine == 0
    assert difference([1.0], [0.0]).snr_db == -math.inf


def test_a_wrong_infinity_is_an_infinite_error() -> None:
    """An overflow of float16 must not vanish because it is not a number."""
    assert difference([math.inf, 1.0], [65000.0, 1.0]).max_error == math.inf
    assert difference([math.nan, 1.0], [0.0, 1.0]).max_error == math.inf


def test_samples_add_up() -> None:
    """Two samples count as one of twice the size."""
    ours, reference = np.random.default_rng(0).normal(size=(2, 100))
    tally = Tally()
    for half in (slice(0, 50), slice(50, 100)):
        tally.add(ours[half], reference[half])
    one, other = tally.difference(), difference(ours, reference)
    assert one.noise == pytest.approx(other.noise)
    assert one.cosine == pytest.approx(other.cosine)
    assert one.max_error == other.max_error


class Noisy:
    """A network whose tensors are ones, with an error of the given size in some, by name."""

    def __init__(self, graph: Graph, errors: dict[str, float], without: tuple[str, ...] = ()) -> None:
        self._values = {
            index: np.full(4, 1 + errors.get(graph.tensors[index].name, 0.0))
            for index in (*graph.inputs, *(output for node in graph.nodes for output in node.outputs))
            if graph.tensors[index].name not in without
        }

    def run(self, sample: Sample) -> Values:
        return self._values


@pytest.fixture
def residual() -> Graph:
    """image, relu1 (which goes to averagepool8, relu3 and relu6), relu3, relu6, ..."""
    with load(str(recording("residual_int8").path)) as model:
        return model.graphs[0]


def test_blames_a_layer_for_the_noise_that_it_adds(residual: Graph) -> None:
    """Noise is in units of power: from 0.1 to 0.3 is 0.08 more."""
    noisy = Noisy(residual, {"relu1": 0.1, "relu3": 0.3, "relu6": 0.3})
    result = compare(residual, noisy, Noisy(residual, {}), [{}])
    added = {residual.tensors[layer.tensor].name: layer.added for layer in result.layers if layer.added}
    assert added == pytest.approx({"relu1": 0.01, "relu3": 0.08})
    assert [residual.tensors[layer.tensor].name for layer in result.worst(5)] == ["relu3", "relu1"]


def test_noise_passes_through_layers_that_the_reference_lacks(residual: Graph) -> None:
    """A fused layer's input is the output of the nearest known layers before it."""
    reference = Noisy(residual, {}, without=("relu3", "averagepool8"))
    noisy = Noisy(residual, {"relu1": 0.1, "relu6": 0.1})
    result = compare(residual, noisy, reference, [{}])
    assert result.missing == 2
    assert [residual.tensors[layer.tensor].name for layer in result.worst(5)] == ["relu1"]


def test_random_inputs_stay_in_the_calibrated_range() -> None:
    """They are the user's numbers, before mean and standard deviation; the same every time."""
    with load(str(recording("mean_std_int8").path)) as model:
        graph = model.graphs[0]
    (tensor,) = (graph.tensors[index] for index in graph.inputs)
    values = random_sample(graph)["x"]
    assert values.shape == tensor.shape
    np.testing.assert_array_equal(values, random_sample(graph)["x"])
    preprocessing, quantization = graph.preprocessing[0], tensor.quantization
    assert preprocessing is not None
    assert quantization is not None
    for channel, (mean, std) in enumerate(zip(preprocessing.mean, preprocessing.std)):
        normal = (values[0, channel] - mean) / std
        steps = normal / quantization.scale[0] + quantization.zero_point[0]
        assert -128.01 <= steps.min() < -50
        assert 50 < steps.max() <= 127.01


def test_random_indices_are_legal() -> None:
    """A table may have any size."""
    with load(str(recording("tokens_fp16").path)) as model:
        sample = random_sample(model.graphs[0])
    assert {array.dtype.kind for array in sample.values()} <= {"i", "f"}
    for array in sample.values():
        if array.dtype.kind == "i":
            assert set(np.unique(array)) == {0, 1}


def test_refuses_inputs_for_different_numbers_of_inferences() -> None:
    """Pairing them would be a guess."""
    with load(str(recording("two_inputs_int8").path)) as model:
        graph = model.graphs[0]
    first, second = (graph.tensors[index] for index in graph.inputs)
    arrays = {first.name: np.zeros((2, *first.shape[1:])), second.name: np.zeros(second.shape)}
    with pytest.raises(ValueError, match="different numbers of inferences"):
        split(graph, arrays)
