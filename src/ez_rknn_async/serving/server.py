# SPDX-License-Identifier: Apache-2.0
"""What REST and gRPC have in common: the server's own metadata, and an inference from request to response."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any

from .datatypes import BYTES, to_bytes
from .images import decode_images
from .refusal import TOO_LARGE, UNAVAILABLE, RefusedError, invalid, refusal_of
from .request import InferRequest, InferResponse, InputTensor, RegionSlice, WantedOutput
from .served_model import joined
from .shared_memory import Regions
from .statistics import as_protocol

if TYPE_CHECKING:
    from .admission import Ticket
    from .repository import Entry, Repository
    from .served_model import ServedModel

NAME = "ez-rknn-async"
_EXTENSIONS = ("model_repository", "model_configuration", "statistics", "binary_tensor_data")


@dataclass(frozen=True)
class ServerOptions:
    """What the server offers, besides inference.

    Attributes:
        model_control: whether clients may load and unload models.
        shared_memory: whether clients may register shared memory.
        token: what clients must show as bearer token; empty for none.
    """

    model_control: bool = False
    shared_memory: bool = False
    token: str = ""


class Server:
    """The models of a repository, to be offered over any transport. Thread-safe."""

    def __init__(self, repository: Repository, options: ServerOptions, version: str) -> None:
        self.repository = repository
        self.options = options
        self.regions = Regions(offered=options.shared_memory)
        self._version = version
        self._stopping = False

    @property
    def ready(self) -> bool:
        """True unless the server is stopping, or a loaded model has lost its device."""
        entries = self.repository.index()
        return not self._stopping and all(entry.model.ready for entry in entries if entry.model is not None)

    def metadata(self) -> dict[str, Any]:
        """Return the server's metadata."""
        shared = ("system_shared_memory",) if self.options.shared_memory else ()
        return {"name": NAME, "version": self._version, "extensions": [*_EXTENSIONS, *shared]}

    def index(self, *, only_ready: bool) -> list[dict[str, str]]:
        """Return the index of the repository."""
        return [_index_entry(e) for e in self.repository.index() if e.ready or not only_ready]

    def statistics(self, name: str = "", version: str = "") -> list[dict[str, Any]]:
        """Return the statistics of a model, or of all that are loaded."""
        if name:
            self.repository.find(name, version)
        return [
            as_protocol(entry.file.name, entry.file.version, entry.statistics, entry.model.session.stats)
            for entry in self.repository.index()
            if entry.model is not None and name in ("", entry.file.name)
        ]

    def check_control(self) -> None:
        """Refuse to load and unload models unless that is offered."""
        if not self.options.model_control:
            raise RefusedError(
                UNAVAILABLE, "loading and unloading is not offered", hint="start the server with --model-control"
            )

    def begin(self, name: str, version: str, request: InferRequest) -> Inference:
        """Admit an inference.

        Raises:
            RefusedError: it is malformed, or there is no room for it.
        """
        model = self.repository.find(name, version)
        while True:
            try:
                return self._begun(model, request)
            except RefusedError as refused:
                found = self.repository.find(name, version)
                if refused.kind != UNAVAILABLE or found is model:
                    raise
                model = found  # it was loaded again meanwhile, and the former takes no more

    def _begun(self, model: ServedModel, request: InferRequest) -> Inference:
        wanted = _wanted(request, model.output_names)
        feed = {tensor.name: self._value(tensor, model) for tensor in request.inputs}
        ticket = model.offer(feed, request.priority)
        # It waits without its inputs: as lists of JSON they take many times the bytes that were sent.
        return Inference(self, model, replace(request, inputs=()), wanted, ticket)

    def stop(self, seconds: float) -> bool:
        """Answer what was admitted, at most for so long, and give all models back; False if time was up."""
        self._stopping = True
        drained = self.repository.close(seconds)
        if self.regions.offered:
            self.regions.unregister(None)
        return drained

    def _value(self, tensor: InputTensor, model: ServedModel) -> Any:
        region = self._read(tensor.source, model) if isinstance(tensor.source, RegionSlice) else None
        value = tensor.value(region)
        if tensor.datatype != BYTES:
            return value
        assert isinstance(value, list)
        if len(value) > model.settings.max_batch:
            raise invalid(f"{len(value)} images: the model takes at most {model.settings.max_batch} at once")
        return decode_images(value, model.input(tensor.name))

    def _read(self, part: RegionSlice, model: ServedModel) -> memoryview:
        # A region may be larger than all memory, and take none: what nobody has written.
        if part.byte_size > model.largest_body:
            raise RefusedError(
                TOO_LARGE,
                f"{part.byte_size} bytes of shared memory are more than the {model.largest_body} that this model takes",
                hint="set max_body in model.toml",
            )
        return self.regions.read(part)


class Inference:
    """One admitted inference.

    Attributes:
        ticket: its future; the transport waits for it.
        seconds: how long it may wait in the queue; None for no limit.
    """

    def __init__(
        self,
        server: Server,
        model: ServedModel,
        request: InferRequest,
        wanted: tuple[WantedOutput, ...],
        ticket: Ticket,
    ) -> None:
        self.ticket = ticket
        seconds = request.timeout_us / 1e6 or model.settings.timeout_ms / 1e3
        # A client's number may be more than a lock can wait for.
        self.seconds = min(seconds, TIMEOUT_MAX) or None
        self._server, self._model, self._request, self._wanted = server, model, request, wanted

    def expire(self) -> bool:
        """Withdraw it if it is still in the queue; return True if it is cancelled."""
        return self._model.expire(self.ticket)

    def expired(self) -> RefusedError:
        """Return the error for one that has expired."""
        return RefusedError(UNAVAILABLE, f"the request waited for {self.seconds:g} s, its time limit in the queue")

    def response(self) -> InferResponse:
        """Return the response of one that has ended.

        Raises:
            RefusedError: it failed.
        """
        error = self.ticket.exception()
        if error is not None:
            raise refusal_of(error) from error
        results, described = self.ticket.result(), self._model.description
        names = self._model.output_names
        outputs = tuple((wanted, joined(results, names.index(wanted.name))) for wanted in self._wanted)
        return InferResponse(
            described.name,
            described.version,
            self._request.id,
            tuple((self._placed(wanted, array), array) for wanted, array in outputs),
        )

    def _placed(self, wanted: WantedOutput, array: Any) -> WantedOutput:
        if wanted.region is None:
            return wanted
        data = to_bytes(array)
        self._server.regions.write(wanted.region, data)
        return replace(wanted, region=replace(wanted.region, byte_size=len(data)))


def _wanted(request: InferRequest, names: tuple[str, ...]) -> tuple[WantedOutput, ...]:
    if request.outputs is None:
        return tuple(WantedOutput(name, request.binary) for name in names)
    unknown = next((output.name for output in request.outputs if output.name not in names), None)
    if unknown is not None:
        raise invalid(f"the model has no output {unknown!r}; its outputs are {', '.join(names)}")
    return request.outputs


def _index_entry(entry: Entry) -> dict[str, str]:
    state = "READY" if entry.ready else "UNAVAILABLE"
    reason = entry.reason or ("" if entry.ready else "its device was lost and is being reset")
    return {"name": entry.file.name, "version": entry.file.version, "state": state, "reason": reason}
