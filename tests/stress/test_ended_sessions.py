# SPDX-License-Identifier: Apache-2.0
"""Threads of the stress machine that still have a session which another thread has ended."""

from __future__ import annotations

from typing import Callable

import pytest

from .actor import Actor
from .ledger import Ledger
from .operations import endings, pipelines
from .scenario import scenario
from .sessions import Sessions


@pytest.mark.parametrize("end", [endings.close, endings.close_cancel, endings.drop, endings.drop_cycle])
def test_no_frame_is_left_in_the_pipeline_of_an_ended_session(end: Callable[[Actor], None]) -> None:
    """No thread would drain it any more, and the machine would report tasks that never end."""
    ledger = Ledger()
    sessions = Sessions(scenario(1, 1, ("first use",)), ledger)
    actor = Actor(sessions, 0)
    former = sessions.handle(0)
    pipelines.pipeline(actor)
    end(actor)
    assert sessions.handle(0) is not former
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actor, "handle", lambda: former)
        for _ in range(5):
            pipelines.pipeline(actor)
    ledger.wait_until_all_ended(0)
    assert ledger.violations == []
    for handle in sessions.handles():
        handle.session.close()
    former.session.close()
