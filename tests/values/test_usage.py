# SPDX-License-Identifier: Apache-2.0
"""Concurrent uses of a tensor's memory: which are allowed, and that a refused claim leaves nothing behind."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator

import pytest

from ez_rknn_async._values.usage import Claim, Mark, Use
from ez_rknn_async.errors import RknnInUseError

SHARED = {(Use.FEEDS, Use.FEEDS), (Use.READ, Use.READ)}
PAIRS = list(itertools.product(Use, repeat=2))


@pytest.fixture
def image() -> Mark:
    """A tensor that is not in use."""
    return Mark("value 'image'")


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].name} then {pair[1].name}")
def test_only_uses_of_one_kind_that_write_nothing_go_together(image: Mark, pair: tuple[Use, Use]) -> None:
    """Of all sixteen pairs, not even an inference and a thread may read at once."""
    first, second = pair
    with image.held(first):
        if pair in SHARED:
            with image.held(second):
                pass
        else:
            with pytest.raises(RknnInUseError), image.held(second):
                pass
    Claim([(image, second)]).end()  # free again


@pytest.mark.parametrize("use", Use)
def test_the_message_names_the_tensor_and_its_present_use(image: Mark, use: Use) -> None:
    """It also says what to do."""
    with image.held(use), pytest.raises(RknnInUseError, match=f"value 'image' {use.value}") as caught:
        Claim([(image, Use.WRITTEN)])
    assert "wait for" in str(caught.value)


def test_a_tensor_is_free_only_after_its_last_reader(image: Mark) -> None:
    """Readers are counted."""
    first, second = (Claim([(image, Use.FEEDS)]) for _ in range(2))
    first.end()
    with pytest.raises(RknnInUseError):
        Claim([(image, Use.RECEIVES)])
    second.end()
    Claim([(image, Use.RECEIVES)]).end()


@pytest.mark.parametrize("use", Use)
def test_only_inferences_count_as_in_flight(image: Mark, use: Use) -> None:
    """A thread that reads or writes is soon done; a caller may wait for an inference."""
    assert not image.in_flight
    with image.held(use):
        assert image.in_flight is (use in (Use.FEEDS, Use.RECEIVES))
    assert not image.in_flight


def test_a_claim_takes_all_tensors_or_none(image: Mark) -> None:
    """The first ones are free again when a later one is refused."""
    result = Mark("value 'result'")
    with result.held(Use.READ):
        with pytest.raises(RknnInUseError, match="result"):
            Claim([(image, Use.FEEDS), (result, Use.RECEIVES)])
        Claim([(image, Use.WRITTEN)]).end()
    Claim([(image, Use.FEEDS), (result, Use.RECEIVES)]).end()


def test_a_claim_that_fails_takes_no_tensor(image: Mark) -> None:
    """Any error may end the list of uses."""

    def uses() -> Iterator[tuple[Mark, Use]]:
        yield image, Use.RECEIVES
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Claim(uses())
    assert not image.in_flight


def test_one_inference_cannot_write_to_its_own_input(image: Mark) -> None:
    """The NPU would overwrite numbers that it has not read yet."""
    with pytest.raises(RknnInUseError):
        Claim([(image, Use.FEEDS), (image, Use.RECEIVES)])
    assert not image.in_flight


def test_one_inference_may_read_a_tensor_twice(image: Mark) -> None:
    """Two inputs of one value are two readers."""
    claim = Claim([(image, Use.FEEDS), (image, Use.FEEDS)])
    assert image.in_flight
    claim.end()
    assert not image.in_flight


def test_ending_a_claim_twice_frees_no_other_claim(image: Mark) -> None:
    """A callback and a cancellation may both end it."""
    first, second = Claim([(image, Use.FEEDS)]), Claim([(image, Use.FEEDS)])
    first.end()
    first.end()
    assert image.in_flight
    second.end()


def test_an_error_in_the_block_frees_the_tensor(image: Mark) -> None:
    """A conversion may fail half-way."""
    with pytest.raises(ZeroDivisionError), image.held(Use.WRITTEN):
        raise ZeroDivisionError
    Claim([(image, Use.READ)]).end()


@pytest.mark.usefixtures("tiny_switch_interval")
def test_only_one_of_many_threads_writes_at_a_time(image: Mark) -> None:
    """The claims of one tensor are decided one after the other."""
    inside, together = [0], [0]
    begin = threading.Barrier(4)

    def write() -> None:
        begin.wait()
        for _ in range(500):
            with contextlib.suppress(RknnInUseError), image.held(Use.WRITTEN):
                inside[0] += 1
                together[0] = max(together[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1]
    Claim([(image, Use.WRITTEN)]).end()
