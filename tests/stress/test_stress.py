# SPDX-License-Identifier: Apache-2.0
"""The stress machine itself: a minute of it, in separate processes, and proof that it notices violations."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import RknnClosedError, RknnDeviceError

from . import report
from .fate import Fate
from .ledger import Ledger, Task
from .order import Order
from .resources import settle, usage
from .samples import Sample, Samples
from .scenario import PROFILES, scenario
from .watchdog import STATUS

SECONDS = 7  # of each profile
SEED = 2026


@pytest.mark.timeout(400)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_minute_of_stress_finds_no_violation(root: Path, profile: str) -> None:
    """Every accepted task ends once, right or with an error that has a reason, and nothing is left."""
    command = [sys.executable, "-m", "tests.stress", "--seed", str(SEED), "--profile", profile]
    done = subprocess.run(
        [*command, "--minutes", str(SECONDS / 60), "--slowness", "2"], cwd=root, text=True, capture_output=True
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"


# ---- A machine that cannot fail would be worthless ----


@pytest.fixture
def samples() -> Samples:
    """Two inputs of a model that doubles them."""
    arrays = [np.full((2,), number, np.float32) for number in range(2)]
    return Samples("double", {"float32": [Sample(n, "float32", {"x": a}, [2 * a]) for n, a in enumerate(arrays)]})


def begun(ledger: Ledger, samples: Samples, **reasons: Any) -> Task:
    return ledger.begin("run", Fate(**reasons), samples, "float32")


def test_notices_wrong_numbers_and_names_their_task(samples: Samples) -> None:
    """Outputs of another task are the important case."""
    ledger = Ledger()
    task = begun(ledger, samples)
    task.right([np.full((2,), 2, np.float32)])
    assert "is wrong in 2 of 2 numbers, first 2.0 instead of 0.0" in ledger.violations[0]
    assert "these are the outputs of float32 1" in ledger.violations[0]


def test_accepts_right_numbers(samples: Samples) -> None:
    """The sample may be used again."""
    ledger = Ledger()
    for number in (0, 1, 0):
        begun(ledger, samples).right([np.full((2,), 2 * number, np.float32)])
    assert ledger.violations == []
    assert ledger.ended["run"] == {"right": 3}


def test_notices_a_task_that_ends_twice_or_never(samples: Samples) -> None:
    """Two right ends are one too many."""
    ledger = Ledger()
    task, _lost = begun(ledger, samples), begun(ledger, samples)
    for _ in range(2):
        task.right(task.sample.outputs)
    assert not ledger.wait_until_all_ended(0)
    assert ["has ended twice" in text or "has not ended" in text for text in ledger.violations] == [True, True]


@pytest.mark.parametrize(
    ("error", "reasons"),
    [(RknnClosedError("closed"), {"is_ending": True}), (RknnDeviceError("failed"), {"fails": True})],
)
def test_an_error_needs_a_reason(samples: Samples, error: Exception, reasons: dict[str, bool]) -> None:
    """An error without a cause is a violation; so is one that is not of our types."""
    ledger = Ledger()
    begun(ledger, samples, **reasons).failed(error)
    assert ledger.violations == []
    begun(ledger, samples).failed(error)
    begun(ledger, samples, **reasons).failed(OSError("ours is another"))
    assert len(ledger.violations) == 2


def test_notices_a_callback_out_of_order() -> None:
    """Calls that overlapped may come in either order."""
    order = Order()
    first = order.submission()
    first.has_returned()
    second, third = order.submission(), order.submission()
    second.has_returned()
    third.has_returned()
    assert order.came(third)
    assert order.came(second)
    assert not order.came(first)


def test_notices_leaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Examples are a thread, and more descriptors than an event loop has."""
    monkeypatch.setattr("tests.stress.resources.SETTLING", 0.0)
    before, stop = usage(), threading.Event()
    files = [(tmp_path / "file").open("w") for _ in range(5)]
    thread = threading.Thread(target=stop.wait, name="left over")
    thread.start()
    _, left = settle(before)
    stop.set()
    thread.join()
    for file in files:
        file.close()
    assert any("threads more" in text for text in left)
    assert any("5 descriptors more" in text for text in left)
    assert any("left over" in text for text in left)


def test_notices_growth_in_spite_of_noise() -> None:
    """A step during the warm-up does not count."""
    noise = [0, 3000, 1000, 2000] * 15
    assert report.growth_kb([60_000 + noise[i] for i in range(60)]) < 3000
    assert report.growth_kb([50_000] * 15 + [90_000] * 45) == 0
    assert report.growth_kb([60_000 + 1000 * i + noise[i] for i in range(60)]) > report.ALLOWED_GROWTH_KB


def test_a_round_is_the_same_every_time() -> None:
    """It does not depend on those before it."""
    assert scenario(17, 43) == scenario(17, 43)
    assert scenario(17, 43) != scenario(18, 43)
    draws = [[scenario(17, 43).generator("thread 0").random() for _ in range(3)] for _ in range(2)]
    assert draws[0] == draws[1]


def test_the_watchdog_ends_a_process_that_hangs(root: Path) -> None:
    """It prints how to repeat it, and where each thread is."""
    program = (
        "import threading\n"
        "from tests.stress.watchdog import Watchdog\n"
        "def here_it_hangs(): threading.Event().wait()\n"
        "Watchdog(0.2, lambda: 'seed 17').start()\n"
        "here_it_hangs()\n"
    )
    done: Any = subprocess.run([sys.executable, "-c", program], cwd=root, text=True, capture_output=True, timeout=60)
    assert done.returncode == STATUS
    assert "seed 17" in done.stderr
    assert "here_it_hangs" in done.stderr
