# SPDX-License-Identifier: Apache-2.0
"""Assembly of what a model runs on: contexts, lanes, transport, engine."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._contexts.lanes import Lanes
from .._contexts.pool import Contexts, counted_apart
from .._options.init_flags import check_flushes
from .._runtime.engine import Engine
from .._tensors.nan_warnings import NanWarnings
from .._tensors.shapes import graph_shapes, named, shape_sets
from .._transport.choice import direct_transport
from .._transport.copying import Copying
from .._transport.signature import Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._contexts.custom_ops import CustomOps
    from .._contexts.model_source import ModelSource
    from .._options.plan import Plan
    from .._options.provider_options import ProviderOptions
    from .._runtime.library import Library
    from .._transport.direct import Direct
    from .._transport.protocol import Transport
    from ..model import Model


@dataclass(frozen=True)
class Parts:
    """The parts that run a model; nothing has run on them yet.

    Attributes:
        library: the runtime.
        source: the model, held for these parts.
        lanes: the workers' contexts, by lane.
        engine: the worker threads.
        signature: the model's inputs and outputs.
        direct: the transport if it is direct I/O, otherwise None.
        transport: moves tensors to and from the NPU.
        nans: warns of quantised NaNs.
        cores: those of each group of workers, such as ``"0"`` or ``"0,1,2"``.
        workers: the number of workers.
        versions: the runtime library's and the driver's.
        memory: what one context takes, in bytes.
    """

    library: Library
    source: ModelSource
    lanes: Lanes
    engine: Engine
    signature: Signature
    direct: Direct | None
    transport: Transport
    nans: NanWarnings
    cores: tuple[str, ...]
    workers: int
    versions: tuple[str, str]
    memory: Mapping[str, int]


def assemble(
    library: Library,
    source: ModelSource,
    model: Model,
    plan: Plan,
    options: ProviderOptions,
    lender: Contexts | None = None,
    custom_ops: CustomOps | None = None,
) -> Parts:
    """Open everything; on failure, give back what was already open.

    Args:
        library: the runtime.
        source: the model for the runtime; the caller that ends the parts lets go of it.
        model: what the file says.
        plan: the workers and their cores.
        options: the session's.
        lender: has the weights that this model leaves out.
        custom_ops: for every context.

    Raises:
        RknnError: the runtime refuses the model, an option or a core.
    """
    with ExitStack() as undo:
        source.hold()
        undo.callback(source.let_go)
        contexts = functools.partial(Contexts, library, source, plan, counted_apart(options), lender, custom_ops)
        # A dynamic-shape model cannot be loaded with another context's weights: runtime 1.5.2 refuses it, and leaks
        # what it had allocated by then.
        another = functools.partial(_another_lane, contexts, shares_weights=not model.dynamic)
        lanes = Lanes(contexts(), another, options.load_timeout_ms)
        undo.callback(lanes.close)
        first = lanes[0][0]
        inputs, outputs = named(first.inputs(), "input"), named(first.outputs(), "output")
        signature = Signature.of(
            shape_sets(inputs, outputs, graph_shapes(model)),
            options.layout,
            native_outputs=options.output_dtype == "native",
            output_layout=options.output_layout,
        )
        direct = direct_transport(lanes, signature, model, options)
        check_flushes(options, library, is_direct=direct is not None)
        nans = NanWarnings()
        versions, memory = first.versions(), first.memory()
        engine = Engine(
            library,
            [(context.handle, worker.group) for context, worker in zip(lanes[0], plan.workers)],
            plan.routes,
            queue_capacity=plan.queue_capacity,
            completion_capacity=plan.completion_capacity,
            ordered=options.sequential_callbacks,
            least_loaded=options.dispatch == "least_loaded",
            pacing=options.enable_pacing,
            run_timeout_ms=options.run_timeout_ms,
        )
        undo.pop_all()
    return Parts(
        library=library,
        source=source,
        lanes=lanes,
        engine=engine,
        signature=signature,
        direct=direct,
        transport=direct or Copying(signature, lanes, model.graphs[0].preprocessing, nans),
        nans=nans,
        cores=plan.groups,
        workers=len(plan.workers),
        versions=versions,
        memory=memory,
    )


def _another_lane(contexts: functools.partial[Contexts], first: Contexts, *, shares_weights: bool) -> Contexts:
    return contexts(first=first if shares_weights else None)
