# SPDX-License-Identifier: Apache-2.0
"""The device process: it loads models, serves contexts, and exits when the host does.

Three kinds of threads: the main thread reads the control socket, so it notices at once when the host is gone; one
thread answers control requests in order, because lowering a model takes seconds; and each attached context has a
thread of its own (:mod:`.channel`), which neither of the others can hold up.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading

from ..errors import RknnModelError
from . import wire
from .channel import Channel, Cores, ServedContext, SharedMemory
from .loaded import LoadedModel
from .wire import Attach, Load, RefusedError, ReplyStatus, Unload

log = logging.getLogger(__name__)


class Device:
    """The state that the host's control requests act on."""

    def __init__(self) -> None:
        self._models: dict[int, LoadedModel] = {}
        self._cores = Cores()

    def answer(self, message: bytes, descriptors: tuple[int, ...]) -> bytes:
        """Return the reply to one control request; never raises. Takes ownership of the descriptors."""
        try:
            self._perform(wire.parse_control(message), descriptors)
        except RefusedError as refused:
            return wire.reply(refused.status, str(refused))
        except RknnModelError as error:
            return wire.reply(ReplyStatus.MODEL_INVALID, str(error))
        except MemoryError:
            return wire.reply(ReplyStatus.MALLOC_FAIL, "the simulated NPU is out of memory")
        except Exception as error:  # one failed request must not take the other contexts with it
            log.exception("control request failed")
            return wire.reply(ReplyStatus.FAIL, f"the simulated NPU failed: {type(error).__name__}: {error}")
        finally:
            wire.close_all(descriptors)  # duplicated where they are needed
        return wire.reply(ReplyStatus.SUCC)

    def _perform(self, request: Load | Attach | Unload, descriptors: tuple[int, ...]) -> None:
        if isinstance(request, Load):
            self._load(request, *_expect(descriptors, 1))
        elif isinstance(request, Attach):
            self._attach(request, *_expect(descriptors, 2))
        else:
            self._loaded(request.model).close()
            del self._models[request.model]

    def _load(self, request: Load, file: int) -> None:
        if request.model in self._models:
            raise RefusedError(ReplyStatus.PARAM_INVALID, f"model {request.model} is already loaded")
        master = self._loaded(request.master) if request.master else None
        self._models[request.model] = LoadedModel(file, master)

    def _attach(self, request: Attach, channel: int, memory: int) -> None:
        context = ServedContext(self._loaded(request.model).executable, SharedMemory(memory), request.graphs)
        Channel(socket.socket(fileno=os.dup(channel)), context, self._cores).start()

    def _loaded(self, model: int) -> LoadedModel:
        if model not in self._models:
            raise RefusedError(ReplyStatus.CTX_INVALID, f"model {model} is not loaded")
        return self._models[model]


def _expect(descriptors: tuple[int, ...], count: int) -> tuple[int, ...]:
    if len(descriptors) != count:
        raise RefusedError(
            ReplyStatus.PARAM_INVALID, f"the request needs {count} file descriptors and came with {len(descriptors)}"
        )
    return descriptors


def serve(control: socket.socket) -> None:
    """Greet the host and serve it; return when the control socket closes."""
    requests: queue.SimpleQueue[tuple[bytes, tuple[int, ...]]] = queue.SimpleQueue()
    device = Device()

    def work() -> None:
        while True:
            answer = device.answer(*requests.get())
            with contextlib.suppress(OSError):  # the host is gone, and the main thread knows
                control.send(answer)

    control.send(wire.GREETING)
    threading.Thread(target=work, name="control", daemon=True).start()
    while (packet := wire.receive(control)) is not None:
        requests.put(packet)
