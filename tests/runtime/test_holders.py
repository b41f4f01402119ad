# SPDX-License-Identifier: Apache-2.0
"""Counting holders: only the last one learns that it is the last, in any interleaving of threads."""

from __future__ import annotations

import threading

from ez_rknn_async._runtime.holders import Holders


def test_only_the_last_to_let_go_learns_that_it_is() -> None:
    holders = Holders()
    assert holders.add()
    assert not holders.remove()
    assert holders.remove()


def test_nothing_can_be_held_once_the_last_has_let_go() -> None:
    holders = Holders()
    assert holders.remove()
    assert not holders.add()
    assert not holders.add()


def test_threads_agree_on_the_last_to_let_go(tiny_switch_interval: None) -> None:
    """Each thread holds and lets go at random while the owner lets go: exactly one of all is the last."""
    for _ in range(50):
        holders = Holders()
        gate, last = threading.Barrier(5), list[bool]()

        def come_and_go(holders: Holders = holders, gate: threading.Barrier = gate, last: list[bool] = last) -> None:
            gate.wait()
            for _ in range(20):
                if holders.add():
                    last.append(holders.remove())

        threads = [threading.Thread(target=come_and_go) for _ in range(4)]
        for thread in threads:
            thread.start()
        gate.wait()
        last.append(holders.remove())
        for thread in threads:
            thread.join()
        assert last.count(True) == 1
        assert not holders.add()
