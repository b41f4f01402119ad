"""Random networks: what the simulated NPU computes for them against the official simulator.

Two steps, because the compiler and this package are seldom installed in the same environment::

    toolkit/bin/python tools/fuzz_models.py make 40 FOLDER    # needs rknn-toolkit2; optional: the first seed
    python tools/fuzz_models.py compare FOLDER                # needs this package; also takes tests/data

A network is a stem, a handful of random operators and one or two outputs, for a random SoC and in a random precision.
Seeds make it the same every time. ``compare`` prints the score and every model below the line, and ends with status 1
if more are there than :data:`REQUIRED` allows. ``make fuzz-models`` does both.
"""

from __future__ import annotations

import functools
import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import onnx
    from numpy.typing import NDArray
    from recording import Entry
    from test_graphs import GraphWriter

SOCS = ("rk3588", "rk3588", "rk3588", "rk3576", "rk3566", "rk3562")
REQUIRED = {"fp16: cosine": 0.99, "int8: cosine": 0.995, "int8: within 2 steps": 0.97}
STEPS = 2.01  # of an output's scale: two, and what float32 adds
LEAST_COSINE = {"fp16": 0.9999, "int8": 0.999}


class Feature(NamedTuple):
    """A tensor of the network under construction: [1, channels, size, size]."""

    name: str
    channels: int
    size: int


# ---- Networks ----


class Network:
    """A random network; each method that adds an operator returns its output."""

    def __init__(self, seed: int) -> None:
        from test_graphs import GraphWriter

        self.random = random.Random(seed)
        self.writer: GraphWriter = GraphWriter(f"fuzz{seed}")
        channels, size = self.random.choice((1, 3, 4, 5, 8, 16, 21)), self.random.choice((7, 8, 12, 16))
        name = self.writer.input("x", [1, channels, size, size])
        self.features = [self.convolution(Feature(name, channels, size))]

    def model(self) -> onnx.ModelProto:
        """The network after three to eight random operators."""
        for _ in range(self.random.randint(3, 8)):
            add = self.random.choice(OPERATORS)
            self.features.append(add(self, self.features[-1]))
        last, *others = reversed(self.features)
        if self.random.random() < 0.3 and others[0].name != last.name:
            self.writer.output("aside", others[0].name)
            last = self.convolution(last) if not self._is_fresh(last) else last
        self.writer.output("y", self.head(last).name if self.random.random() < 0.3 else last.name)
        return self.writer.model()

    def _is_fresh(self, feature: Feature) -> bool:
        return all(feature.name != other.name for other in self.features[:-1])

    def convolution(self, x: Feature) -> Feature:
        """Plain or strided, 1 x 1 to 5 x 5, often with an activation."""
        channels = self.random.choice((4, 7, 8, 16, 24, 32, 40))
        stride = self.random.choice((1, 1, 2)) if x.size > 4 else 1
        name = self.writer.conv(x.name, channels, self.random.choice((1, 3, 3, 5)), stride)
        return self.activation(Feature(name, channels, -(-x.size // stride)))

    def depthwise(self, x: Feature) -> Feature:
        """Depthwise 3 x 3."""
        name = self.writer.conv(x.name, x.channels, depthwise=x.channels > 1)
        return self.activation(x._replace(name=name))

    def activation(self, x: Feature) -> Feature:
        """One of the activations that the compiler fuses, or none."""
        op, bounds = self.writer.op, [self.writer.constant(np.array(bound, np.float32)) for bound in (0.0, 6.0)]
        choices: tuple[Callable[[], str], ...] = (
            lambda: x.name,
            lambda: op("Relu", x.name),
            lambda: op("Clip", x.name, *bounds),
            lambda: op("LeakyRelu", x.name, alpha=0.1),
            lambda: op("Sigmoid", x.name),
            lambda: op("Tanh", x.name),
            lambda: op("Elu", x.name, alpha=1.0),
            lambda: op("Mul", x.name, op("Sigmoid", x.name)),
        )
        return x._replace(name=self.random.choice(choices)())

    def pooling(self, x: Feature) -> Feature:
        """Largest or average of 2 x 2, or of 3 x 3 at every place."""
        kind = self.random.choice(("MaxPool", "AveragePool"))
        if x.size >= 4 and self.random.random() < 0.5:
            return Feature(self.writer.op(kind, x.name, kernel_shape=[2, 2], strides=[2, 2]), x.channels, x.size // 2)
        extra = {"count_include_pad": 1} if kind == "AveragePool" else {}
        return x._replace(name=self.writer.op(kind, x.name, kernel_shape=[3, 3], pads=[1] * 4, **extra))

    def residual(self, x: Feature) -> Feature:
        """Sum or product with an earlier tensor of the same shape, or with a convolution of this one."""
        alike = [other for other in self.features if other[1:] == x[1:] and other.name != x.name]
        other = self.random.choice(alike).name if alike else self.writer.conv(x.name, x.channels, 1)
        return x._replace(name=self.writer.op(self.random.choice(("Add", "Add", "Mul")), x.name, other))

    def concatenation(self, x: Feature) -> Feature:
        """With an earlier tensor of the same size, or with a convolution of this one."""
        alike = [other for other in self.features if other.size == x.size and other.name != x.name]
        other = self.random.choice(alike) if alike else self.convolution_of_size(x)
        channels = x.channels + other.channels
        return Feature(self.writer.op("Concat", x.name, other.name, axis=1, channels=channels), channels, x.size)

    def convolution_of_size(self, x: Feature) -> Feature:
        """A 1 x 1 convolution to eight channels."""
        return Feature(self.writer.conv(x.name, 8, 1), 8, x.size)

    def head(self, x: Feature) -> Feature:
        """Ten probabilities."""
        flat = self.writer.op("Flatten", self.writer.op("GlobalAveragePool", x.name), axis=1)
        return Feature(self.writer.op("Softmax", self.writer.linear(flat, x.channels, 10), axis=1), 10, 1)


OPERATORS = (
    Network.convolution,
    Network.convolution,
    Network.depthwise,
    Network.pooling,
    Network.residual,
    Network.concatenation,
)


def entry(seed: int) -> Entry:
    """The network of ``seed``, for a random SoC and precision."""
    from recording import Entry

    choose = random.Random(-1 - seed)
    return Entry(f"fuzz{seed}", lambda: Network(seed).model(), int8=choose.random() < 0.7, target=choose.choice(SOCS))


def make_models(count: int, folder: Path, first_seed: int = 0) -> None:
    """Compiles ``count`` networks into ``folder``; what the compiler refuses is left out and said."""
    from official_compiler import CompilerError
    from recording import make, write_manifest

    folder.mkdir(parents=True, exist_ok=True)
    described = []
    for seed in range(first_seed, first_seed + count):
        try:
            described.append(make(entry(seed), folder))
        except CompilerError as error:
            print(f"fuzz{seed}: {error}", file=sys.stderr)
    write_manifest(folder, described)


# ---- Comparison ----


class Difference(NamedTuple):
    """How one output differs from the official simulator's."""

    cosine: float  # of the angle between the two
    largest: float  # error, in units of the range
    steps: float  # the same error in units of the output's scale; 0 where it is not quantised


def compare(folder: Path) -> bool:
    """Prints a line for each model that is too far off, and the score; whether enough are near enough."""
    marks: dict[str, list[bool]] = {name: [] for name in REQUIRED}
    for described in json.loads((folder / "manifest.json").read_text())["models"]:
        precision = described["precision"]
        near, exact = compare_model(folder, described)
        marks[f"{precision}: cosine"].append(near)
        if precision == "int8":
            marks["int8: within 2 steps"].append(exact)
    for name, good in marks.items():
        if good:
            print(
                f"{name:22} {sum(good):4} of {len(good):4}  {sum(good) / len(good):7.2%}  required {REQUIRED[name]:.1%}"
            )
    return all(sum(good) >= REQUIRED[name] * len(good) for name, good in marks.items())


def compare_model(folder: Path, described: dict[str, Any]) -> tuple[bool, bool]:
    """Runs one model on the simulated NPU: whether the angle is small enough, and each element near enough."""
    from ez_rknn_async import RknnError

    label = f"{described['name']:24} {described['target']} {described['precision']}"
    try:
        found = list(differences(folder, described))
    except RknnError as error:
        print(f"{label}  {error}")
        return False, False
    worst, steps = min(found), max(difference.steps for difference in found)
    good = worst.cosine >= LEAST_COSINE[described["precision"]], steps <= STEPS
    if not all(good):
        print(f"{label}  cosine {worst.cosine:.6f}  largest error {worst.largest:.4f} of the range, {steps:.0f} steps")
    return good


def differences(folder: Path, described: dict[str, Any]) -> Iterator[Difference]:
    """For each case and output of one model."""
    from ez_rknn_async import InferenceSession, make_provider_options

    options = make_provider_options(runtime_library="simulator")
    recording = np.load(folder / described["recording"])
    names = [value["name"] for value in described["outputs"]]
    with InferenceSession(folder / described["file"], provider_options=options) as session:
        scales = {port.name: port.quantization.scale for port in session.get_outputs() if port.quantization}
        for case in range(described["cases"]):
            read = functools.partial("case{}_{}{}".format, case)
            feed = {value["name"]: recording[read("input", i)] for i, value in enumerate(described["inputs"])}
            for index, output in enumerate(session.run(names, feed)):
                yield difference(output, recording[read("output", index)], scales.get(names[index], 0.0))


def difference(ours: NDArray[Any], official: NDArray[Any], scale: float) -> Difference:
    """Between two arrays of the same shape; ``scale`` is the output's, 0 if it has none."""
    a, b = ours.ravel().astype(np.float64), official.ravel().astype(np.float64)
    if np.array_equal(a, b):
        return Difference(1.0, 0.0, 0.0)
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    spread = np.ptp(b) or 1.0
    error = float(np.abs(a - b).max())
    return Difference(float(a @ b / norm) if norm else 0.0, error / spread, error / scale if scale else 0.0)


def main(arguments: list[str]) -> int:
    """The exit status."""
    if len(arguments) in (3, 4) and arguments[0] == "make":
        make_models(int(arguments[1]), Path(arguments[2]), *map(int, arguments[3:]))
        return 0
    if len(arguments) == 2 and arguments[0] == "compare":
        return 0 if compare(Path(arguments[1])) else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
