# SPDX-License-Identifier: Apache-2.0
"""``connect()``: a model that another process serves, with the methods of a session of this one.

The package imports this module; what only a connection needs is imported when there is one.
"""

from __future__ import annotations

import threading
import urllib.parse
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._host.callbacks import RESULTS, check_callback, reporting
from .._messages.wording import shown
from .._running.streams import Stream, check_feeds
from .._tensors.as_array import as_array
from .._tensors.inputs import arrange, owned
from .._tensors.node_arg import NodeArg
from .._tensors.outputs import select
from ..errors import RknnClosedError, RknnError, RknnValueError
from .datatypes import datatype_of, dtype_of, from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Names = Sequence[str] | None
    _Future = Future[list[Array]]


def connect(
    address: str,
    model: str,
    *,
    token: str = "",
    timeout: float = 60.0,
    connections: int = 8,
    certificate: str = "",
) -> RemoteSession:
    """Return a model that ``ezrknn serve``, or any other server of the protocol, has: run it as one of this process.

    The object has :class:`InferenceSession`'s ``run``, ``run_async``, ``submit``, ``map``, ``run_awaitable``,
    ``get_inputs``, ``get_outputs`` and ``stats``. Use it in a ``with`` block, or call ``close()``. Thread-safe.

    Args:
        address: ``"http://HOST:PORT"``, ``"https://HOST:PORT"``, or ``"unix:///run/npu.sock"`` for a server on this
            machine.
        model: the model's name there.
        token: the server's bearer token.
        timeout: the seconds that one answer may take.
        connections: the requests under way at once; more wait in this process.
        certificate: for ``https``, a file with the server's certificate, or that of its authority; without it the
            authorities that the system trusts.

    Raises:
        RknnValueError: the address is none, or the server has no such model.
        RknnError: the server does not answer, or refuses.
    """
    return RemoteSession(address, model, token=token, timeout=timeout, connections=connections, certificate=certificate)


class RemoteSession:
    """What :func:`ez_rknn_async.connect` returns. Thread-safe."""

    def __init__(
        self, address: str, model: str, *, token: str, timeout: float, connections: int, certificate: str
    ) -> None:
        from .http_transport import HttpTransport

        _check(model, timeout, connections)
        self._transport = HttpTransport(address, token, timeout, certificate)
        self._path = f"/v2/models/{urllib.parse.quote(model, safe='')}"
        try:
            metadata = self._transport.ask(self._path)
            self._inputs, self._outputs = _described(metadata, address)
        except BaseException:
            self._transport.close()
            raise
        self._connections = connections
        self._closed = False
        self._senders = ThreadPoolExecutor(connections, thread_name_prefix="ezrknn-remote")
        # One thread, so that callbacks come in the order of submission.
        self._delivery = ThreadPoolExecutor(1, thread_name_prefix="ezrknn-callbacks")

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in the model's order."""
        return [arg.name for arg in self._inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in the model's order."""
        return [arg.name for arg in self._outputs]

    def get_inputs(self) -> list[NodeArg]:
        """Return the inputs as the server describes them: names, shapes, types; -1 is a variable length."""
        return list(self._inputs)

    def get_outputs(self) -> list[NodeArg]:
        """Return the outputs as the server describes them."""
        return list(self._outputs)

    @property
    def stats(self) -> dict[str, Any]:
        """The server's statistics of the model: the protocol's ``model_stats`` entry."""
        entry: dict[str, Any] = self._transport.ask(f"{self._path}/stats")["model_stats"][0]
        return entry

    def run(self, output_names: Names, input_feed: Any) -> list[Array]:
        """Run one inference and return its outputs; see :meth:`InferenceSession.run`."""
        wanted = self._wanted(output_names)
        values = [as_array(v, n) for n, v in zip(self.input_names, arrange(input_feed, self.input_names))]
        self._check_open()
        return self._infer(values, wanted)

    def submit(self, input_feed: Any, output_names: Names = None) -> _Future:
        """Queue one inference in this process and return its future; the feed is copied before this returns."""
        wanted = self._wanted(output_names)
        values = owned(input_feed, self.input_names)
        self._check_open()
        return self._senders.submit(self._infer, values, wanted)

    def run_async(
        self, output_names: Names, input_feed: Any, callback: Callable[..., object], user_data: Any = None
    ) -> None:
        """Queue one inference; ``callback(results, user_data, err)`` gets the outcome, in the order of submission."""
        call = "run_async(output_names, input_feed, callback, user_data=None)"
        check_callback(callback, RESULTS, call, "pass a function, or await run_awaitable()")
        future = self.submit(input_feed, output_names)
        self._delivery.submit(_deliver, future, callback, user_data)

    async def run_awaitable(self, output_names: Names, input_feed: Any) -> list[Array]:
        """Run one inference from a coroutine."""
        import asyncio

        return await asyncio.wrap_future(self.submit(input_feed, output_names))

    def map(
        self, feeds: Iterable[Any], *, depth: int | None = None, ordered: bool = True, output_names: Names = None
    ) -> Stream:
        """Run a stream of feeds; see :meth:`InferenceSession.map`."""
        self._wanted(output_names)
        check_feeds(feeds, "map")
        submit = partial(self.submit, output_names=output_names)
        return Stream(feeds, submit, depth=self._connections if depth is None else depth, ordered=ordered)

    def close(self) -> None:
        """Wait for what was submitted, and close the connections."""
        self._closed = True
        self._senders.shutdown()
        self._delivery.shutdown()
        self._transport.close()

    def __enter__(self) -> RemoteSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wanted(self, output_names: Names) -> list[str]:
        names = self.output_names
        indices = select(output_names, names, "run(output_names, input_feed)")
        return names if indices is None else [names[index] for index in indices]

    def _check_open(self) -> None:
        if self._closed:
            raise RknnClosedError("the connection is closed; connect() again")

    def _infer(self, values: list[Array], wanted: list[str]) -> list[Array]:
        dense = [np.ascontiguousarray(value, value.dtype.newbyteorder("<")) for value in values]
        inputs = [
            {
                "name": arg.name,
                "datatype": datatype_of(value.dtype),
                "shape": value.shape,
                "parameters": {"binary_data_size": value.nbytes},
            }
            for arg, value in zip(self._inputs, dense)
        ]
        outputs = [{"name": name, "parameters": {"binary_data": True}} for name in wanted]
        header = {"inputs": inputs, "outputs": outputs}
        described, data = self._transport.infer(f"{self._path}/infer", header, [to_bytes(value) for value in dense])
        found, offset = [], 0
        for entry in described["outputs"]:
            size = entry["parameters"]["binary_data_size"]
            part = data[offset : offset + size]
            offset += size
            found.append(np.array(from_bytes(part, entry["datatype"], tuple(entry["shape"]), entry["name"])))
        return found


def _check(model: Any, timeout: Any, connections: Any) -> None:
    if not isinstance(model, str) or not model:
        raise RknnValueError(f"model takes the name of a model, not {shown(model)}")
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= threading.TIMEOUT_MAX:
        raise RknnValueError(f"timeout takes a number of seconds above 0, not {shown(timeout)}")
    if not isinstance(connections, int) or isinstance(connections, bool) or connections < 1:
        raise RknnValueError(f"connections takes a whole number of at least 1, not {shown(connections)}")


def _described(metadata: Any, address: str) -> tuple[list[NodeArg], list[NodeArg]]:
    """Return the inputs and outputs that a model's metadata lists."""
    try:
        inputs, outputs = ([_node_arg(entry) for entry in metadata[key]] for key in ("inputs", "outputs"))
    except (KeyError, TypeError, AttributeError) as error:
        raise RknnError(
            f"{address} describes the model in a way that is not understood: {error!r}",
            hint="is it a server of the Open Inference Protocol, and are the tensors numbers?",
        ) from None
    return inputs, outputs


def _deliver(future: _Future, callback: Callable[..., object], user_data: Any) -> None:
    error = future.exception()
    deliver = reporting(lambda _: callback(None if error else future.result(), user_data, str(error) if error else ""))
    deliver(future)


def _node_arg(entry: dict[str, Any]) -> NodeArg:
    dtype = dtype_of(entry["datatype"]).name
    return NodeArg(
        entry["name"], list(entry["shape"]), dtype, "UNDEFINED", shapes=[list(entry["shape"])], is_native=True
    )
