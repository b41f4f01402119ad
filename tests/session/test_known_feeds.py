# SPDX-License-Identifier: Apache-2.0
"""Feeds of a kind met before are not checked again; every other one is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError
from ez_rknn_async._transport.known_feeds import KnownFeeds

from .conftest import OpenSession, feed_of


def known(session: InferenceSession) -> KnownFeeds:
    """Return what a session remembers."""
    feeds = session._deployment.executor._known_feeds
    assert feeds is not None
    return feeds


def test_the_second_feed_of_a_kind_gives_the_same_numbers(open_session: OpenSession) -> None:
    """What is remembered is the decision, and not the arrays."""
    session = open_session("two_inputs_int8", simulator="compute=on")
    rng = np.random.default_rng(0)
    feeds = [{n: rng.random(a.shape, np.float32) for n, a in feed_of(session).items()} for _ in range(3)]
    first = [session.run(None, feed) for feed in feeds]
    assert known(session)._known
    for feed, outputs in zip(feeds, first):
        for again in (session.run(None, feed), session.submit(feed).result(60), session.run(None, list(feed.values()))):
            assert all(np.array_equal(a, b) for a, b in zip(again, outputs))
            assert not any(np.shares_memory(a, b) for a, b in zip(again, outputs))


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[..., :-1],
        lambda array: array.astype(np.complex64),
        lambda array: array.reshape(-1),
        lambda array: array.astype(object),
        lambda array: None,
    ],
)
def test_a_known_kind_lets_nothing_else_through(open_session: OpenSession, change: Any) -> None:
    """Whatever was refused before is refused afterwards, with the same words."""
    session = open_session("two_inputs_int8", simulator="compute=off")
    feed = feed_of(session)
    name = next(iter(feed))
    wrong = {**feed, name: change(feed[name])}
    with pytest.raises(RknnError) as before:
        session.run(None, wrong)
    session.run(None, feed)
    session.run(None, feed)
    with pytest.raises(RknnError) as after:
        session.run(None, wrong)
    assert str(before.value) == str(after.value)
    for names in ({**feed, "another": feed[name]}, {name: feed[name]}, {**wrong, "another": feed[name]}):
        with pytest.raises(RknnError):
            session.run(None, names)


def test_views_and_subclasses_go_through_the_rules(open_session: OpenSession) -> None:
    """A frame that is turned or cropped is read as it lies."""
    session = open_session("two_inputs_int8", simulator="compute=on")
    rng = np.random.default_rng(1)
    feed = {n: rng.random(a.shape, np.float32) for n, a in feed_of(session).items()}
    expected = session.run(None, feed)
    turned = {n: np.asfortranarray(a) for n, a in feed.items()}
    wider = {n: np.repeat(a, 2, axis=-1)[..., ::2] for n, a in feed.items()}
    for others in (turned, wider):
        assert all(np.array_equal(a, b) for a, b in zip(session.run(None, others), expected))


def test_a_queued_feed_may_be_changed_at_once(open_session: OpenSession) -> None:
    """It was copied, the first time and every time."""
    session = open_session("two_inputs_int8", simulator="compute=on")
    feed = feed_of(session)
    expected = session.run(None, feed)
    for _ in range(5):
        given = {n: a.copy() for n, a in feed.items()}
        future = session.submit(given)
        for array in given.values():
            array.fill(7)
        assert all(np.array_equal(a, b) for a, b in zip(future.result(60), expected))


def test_what_is_remembered_is_bounded(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that chooses ever other options for its outputs must not fill the memory."""
    monkeypatch.setattr("ez_rknn_async._transport.known_feeds._MOST", 2)
    session = open_session("two_inputs_int8", simulator="compute=off")
    feed = feed_of(session)
    for dtype in (np.float32, np.float16, np.uint8):
        session.run(None, {n: a.astype(dtype) for n, a in feed.items()})
        session.run(None, {n: a.astype(dtype) for n, a in feed.items()}, {"output_dtype": "native"})
    assert len(known(session)._known) <= 2
