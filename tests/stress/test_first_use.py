# SPDX-License-Identifier: Apache-2.0
"""The first runs of a fresh session, by several threads at the same moment."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ez_rknn_async import InferenceSession

from .jitter import jittered
from .samples import DATA, Sample, samples_of

THREADS = 8
OPTIONS = {
    "runtime_library": "simulator",
    "schedule": [0, 1, 2],
    "threads_per_core": 2,
    "simulator": {"timing": "fixed:2000"},
}
ROUNDS = 30
PAUSES = 0.02  # the share of the package's lines at which a thread pauses
MODELS = ["tiny_conv_int8", "tiny_conv_fp16", "two_inputs_fp16"]

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("tiny_switch_interval")]

Way = Callable[[InferenceSession, Sample], "list[Any]"]
WAYS: dict[str, Way] = {
    "run": lambda session, sample: session.run(None, sample.feed),
    "submit": lambda session, sample: session.submit(sample.feed).result(60),
    "run_async": lambda session, sample: _called_back(session, sample),
}


def _called_back(session: InferenceSession, sample: Sample) -> list[Any]:
    got: list[Any] = []
    came = threading.Event()

    def receive(outputs: Any, _: Any, error: str) -> None:
        got.extend(outputs or [error])
        came.set()

    session.run_async(None, sample.feed, receive)
    assert came.wait(60)
    return got


def check_first_uses(session: InferenceSession, model: str, way: str, number: int) -> None:
    """Run eight threads with separate inputs; in every fourth round half of them give pixels."""
    samples, start = samples_of(model, 50).by_kind, threading.Barrier(THREADS)
    kinds = sorted(samples) if number % 4 == 0 else sorted(samples)[:1]
    wrong: list[str] = []

    def use(index: int) -> None:
        sample = samples[kinds[index % len(kinds)]][index]
        start.wait()
        try:
            difference = sample.differs(WAYS[way](session, sample))
        except Exception as error:
            difference = repr(error)
        if difference:
            wrong.append(difference)

    with jittered(random.Random(number), PAUSES):
        threads = [threading.Thread(target=use, args=(index,)) for index in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def opened(model: str) -> InferenceSession:
    return InferenceSession(DATA / f"{model}.rknn", provider_options=OPTIONS)


@pytest.mark.parametrize("way", ["run", "run_async"])
@pytest.mark.parametrize("model", MODELS)
def test_first_runs_of_eight_threads_give_the_right_outputs(model: str, way: str) -> None:
    """Caches are filled once on first use, or the second thread goes on with the first one's entry."""
    for number in range(ROUNDS):
        with opened(model) as session:
            check_first_uses(session, model, way, number)


@pytest.mark.parametrize("exchange", ["reset", "set_providers"])
@pytest.mark.parametrize("model", MODELS)
def test_first_runs_after_an_exchange_give_the_right_outputs(model: str, exchange: str) -> None:
    """Loading the model again makes everything fresh."""
    with opened(model) as session:
        for number in range(ROUNDS):
            check_first_uses(session, model, "run", number)
            if exchange == "reset":
                session.reset()
            else:
                session.set_providers(None, OPTIONS)


def test_first_runs_during_exchanges_give_the_right_outputs() -> None:
    """The model is loaded again while eight threads run."""
    model, stop = MODELS[0], threading.Event()
    with opened(model) as session:

        def exchange() -> None:
            while not stop.is_set():
                session.reset()

        thread = threading.Thread(target=exchange)
        thread.start()
        try:
            for number in range(ROUNDS):
                check_first_uses(session, model, "run", number)
        finally:
            stop.set()
            thread.join()
