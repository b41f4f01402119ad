# SPDX-License-Identifier: Apache-2.0
"""Results on their way to an event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

from ez_rknn_async._running.mailbox import Mailbox, mailbox_of


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often other threads wake it."""

    woken = 0

    def _write_to_self(self) -> None:
        self.woken += 1
        super()._write_to_self()  # type: ignore[misc]


def test_a_loop_is_woken_once_for_all_that_is_there() -> None:
    """Waking it costs more than a result."""
    loop, got = CountingLoop(), list[int]()
    mailbox = mailbox_of(loop)
    for number in range(10):
        mailbox.put(got.append, number)
    loop.run_until_complete(asyncio.sleep(0))
    assert (got, loop.woken) == (list(range(10)), 1)
    mailbox.put(got.append, 10)
    loop.run_until_complete(asyncio.sleep(0))
    assert (got[-1], loop.woken) == (10, 2)
    loop.close()


def test_nothing_stays_in_the_box() -> None:
    """A result that comes while the loop takes others wakes it again."""
    threads, each = 4, 500

    async def main() -> int:
        loop, got = asyncio.get_running_loop(), list[int]()
        done, mailbox = asyncio.Event(), mailbox_of(loop)

        def take(number: int) -> None:
            got.append(number)
            if len(got) == threads * each:
                done.set()

        def put() -> None:
            for number in range(each):
                mailbox.put(take, number)

        workers = [threading.Thread(target=put) for _ in range(threads)]
        for worker in workers:
            worker.start()
        await asyncio.wait_for(done.wait(), 60)
        for worker in workers:
            worker.join()
        return len(got)

    assert asyncio.run(main()) == threads * each


def test_a_closed_loop_gets_nothing_and_keeps_nothing() -> None:
    """No one waits any more."""
    loop = asyncio.new_event_loop()
    mailbox = mailbox_of(loop)
    loop.close()
    mailbox.put(lambda _: None, 1)
    mailbox.put(lambda _: None, 2)
    assert not mailbox._waiting


def test_boxes_do_not_keep_loops() -> None:
    """Programs make a loop for each request."""
    loop = asyncio.new_event_loop()
    mailbox, gone = mailbox_of(loop), weakref.ref(loop)
    assert mailbox_of(loop) is mailbox
    loop.close()
    del loop
    gc.collect()
    assert gone() is None
    mailbox.put(lambda _: None, 1)
    another = asyncio.new_event_loop()
    assert isinstance(mailbox_of(another), Mailbox)
    assert mailbox_of(another).is_of(another)
    another.close()
