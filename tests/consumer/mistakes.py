# SPDX-License-Identifier: Apache-2.0
"""Wrong uses that type checkers refuse: the lines marked "refused", and no others.

Those marked "later" are arguments that are still Any.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import numpy as np

from ez_rknn_async import (
    InferenceSession,
    IOBinding,
    OrtValue,
    RknnModelError,
    Rknpu2ProviderOptions,
    make_provider_options,
)

IMAGE = np.zeros((1, 3, 16, 16), np.float32)
FEED = {"x": IMAGE}


def only_results(results: Any) -> None:
    print(results)


def options() -> None:
    make_provider_options(shedule=[0])  # refused
    make_provider_options(threads_per_core="2")  # refused
    make_provider_options({"schedule": [0]})  # refused
    unknown: Rknpu2ProviderOptions = {"laoyut": "nhwc"}  # refused
    wrong: Rknpu2ProviderOptions = {"max_queue_size": "3"}  # refused
    print(unknown, wrong)


def construction(session: InferenceSession) -> None:
    InferenceSession()  # refused
    InferenceSession(5)  # refused
    InferenceSession("m.rknn", sess_options={"enable_profiling": True})  # refused
    InferenceSession("m.rknn", provider_options=5)  # refused
    InferenceSession("m.rknn", providers=1)  # refused
    InferenceSession("m.rknn", use_wieght_from=session)  # later
    session.set_providers(5)  # refused
    session.stats = None  # refused
    print(session.get_inptus())  # refused
    shape: str = session.get_inputs()[0].shape  # refused
    print(shape, session.stats.cores["0"].utilisation)  # refused


def runs(session: InferenceSession) -> None:
    session.run(None)  # refused
    session.run(FEED, None)  # refused
    session.run(None, FEED, 5)  # refused
    session.run(None, FEED, outputs=[IMAGE])  # refused
    session.run_async(None, FEED)  # refused
    session.run_async(None, FEED, only_results)  # refused
    print(session.run_pipeline(FEED)[0])  # refused
    numbers: Future[int] = session.submit(FEED)  # refused
    print(numbers, session.map(FEED, deep=3))  # refused
    session.map_awaitable(5)  # refused


async def coroutines(session: InferenceSession) -> None:
    print(session.run_awaitable(None, FEED)[0])  # refused
    for outputs in session.map_awaitable([FEED]):  # refused
        print(outputs)


def bindings(binding: IOBinding, session: InferenceSession) -> None:
    OrtValue.ortvalue_from_numpy()  # refused
    binding.bind_ortvalue_input("x")  # refused
    binding.bind_ortvalue_input("x", IMAGE)  # later
    session.run_with_iobinding(FEED)  # refused
    values: list[int] = binding.get_outputs()  # refused
    print(values)


def errors(error: RknnModelError, anything: Any) -> int:
    print(error.offset + 1)  # refused
    RknnModelError("damaged", anything)  # refused
    return error.hint  # refused
