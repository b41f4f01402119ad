# SPDX-License-Identifier: Apache-2.0
# pyright: strict
"""A user's program that type checkers accept at their strictest, and that runs.

python program.py MODEL     # one input x of [1, 3, 16, 16], one output y of [1, 8, 16, 16]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import ez_rknn_async as rknn
from ez_rknn_async import (
    InferenceSession,
    IOBinding,
    NodeArg,
    OrtValue,
    RknnError,
    RknnModelError,
    RknnTimeoutError,
    Rknpu2ProviderOptions,
    RunOptions,
    SessionOptions,
    make_provider_options,
)

Array = npt.NDArray[Any]
IMAGE = np.zeros((1, 3, 16, 16), np.float32)


def open_session(path: Path) -> InferenceSession:
    """Pass options as keywords, as a typed dictionary, and as ONNX Runtime's object."""
    settings = SessionOptions()
    settings.enable_profiling = True
    settings.profile_file_prefix = str(path.parent / "profile")
    typed: Rknpu2ProviderOptions = {"schedule": [0, 1, 2], "layout": "nhwc", "run_timeout_ms": 10_000}
    InferenceSession(str(path), provider_options=typed).close()
    InferenceSession(path.read_bytes(), settings, ["RKNPU2SimulatorExecutionProvider"]).close()
    return InferenceSession(path, provider_options=make_provider_options(schedule="all", threads_per_core=2))


def describe(session: InferenceSession) -> list[str]:
    """Print the model's inputs and outputs."""
    ports: list[NodeArg] = [*session.get_inputs(), *session.get_outputs()]
    scales = [port.quantization.scale for port in ports if port.quantization is not None]
    about = session.get_modelmeta()
    return [about.producer_name, *session.get_providers(), *(port.name for port in ports), *map(str, scales)]


def run(session: InferenceSession) -> Array:
    """Wait for the outputs, with options for one call, and into the caller's arrays."""
    options = RunOptions()
    options.add_run_config_entry("output_dtype", "native")
    first: Array = session.run(None, {"x": IMAGE})[0]
    second: Array = session.run(["y"], [IMAGE], options)[0]
    mine = np.empty((1, 8, 16, 16), np.float32)
    session.run(None, {"x": IMAGE}, {"output_layout": "nchw"}, outputs={"y": mine})
    return np.concatenate([first, second, mine])


def call_back(session: InferenceSession) -> None:
    """Pass a callback for each inference."""

    def receive(results: list[Array] | None, user_data: Any, error: str) -> None:
        print(user_data, error if results is None else results[0].shape)

    session.run_async(None, {"x": IMAGE}, receive, user_data=1)
    for _ in range(3):
        outputs: list[Array] | None = session.run_pipeline({"x": IMAGE}, depth=2)
        print(outputs is None)
    rest: list[list[Array]] = session.drain_pipeline()
    print(len(rest))


def wait_later(session: InferenceSession) -> list[Array]:
    """Use a future, and a stream of results in order."""
    future: Future[list[Array]] = session.submit({"x": IMAGE})

    def frames() -> Iterator[dict[str, Array]]:
        yield {"x": IMAGE}

    with session.map(frames(), depth=4) as stream:
        results = [outputs[0] for outputs in stream]
    return [*results, *future.result(timeout=60)]


async def serve(session: InferenceSession) -> list[Array]:
    """Use coroutines and an asynchronous stream."""
    (one,), (two,) = await asyncio.gather(
        session.run_awaitable(None, {"x": IMAGE}), session.run_awaitable(None, [IMAGE])
    )
    async with session.map_awaitable([{"x": IMAGE}]) as stream:
        streamed = [outputs[0] async for outputs in stream]
    return [one, two, *streamed]


def bind(session: InferenceSession) -> Array:
    """Bind values in NPU memory."""
    value = OrtValue.ortvalue_from_numpy(IMAGE)
    shape: list[int] = value.shape()
    binding: IOBinding = session.io_binding()
    binding.bind_ortvalue_input("x", value)
    binding.bind_output("y", "npu")
    session.run_with_iobinding(binding)
    outputs: list[OrtValue] = binding.get_outputs()
    print(shape, outputs[0].device_name(), binding.copy_outputs_to_cpu()[0].shape)
    return outputs[0].numpy()


def watch(session: InferenceSession) -> float:
    """Read statistics."""
    stats = session.stats
    load: list[float] = [core.utilization for core in stats.cores.values()]
    return sum(load) + stats.latency["total"].mean


def main(path: Path) -> int:
    """Handle each error by its class."""
    try:
        with open_session(path) as session:
            print(describe(session), run(session), wait_later(session), bind(session), watch(session))
            call_back(session)
            print(asyncio.run(serve(session)))
    except RknnModelError as error:
        offset: int | None = error.offset
        print(offset, error.hint)
        return 2
    except (RknnTimeoutError, rknn.RknnClosedError):
        return 3
    except RknnError as error:
        code: int | None = error.code
        print(code, error.symbol, error.call)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
