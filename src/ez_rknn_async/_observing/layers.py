"""The runtime's own table of how long each layer takes.

For this table the runtime submits every layer on its own, which makes inferences slower and their timeline another.
So it is not collected while a session works: a context of its own runs once, and is asked.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from .._runtime.context import COLLECT_PERF
from .._runtime.engine import Task
from .._transport.signature import Interface

if TYPE_CHECKING:
    from .._contexts.custom_ops import CustomOps
    from .._contexts.model_source import ModelSource
    from .._contexts.pool import Contexts
    from .._options.plan import Plan
    from .._options.provider_options import ProviderOptions
    from .._runtime.library import Library


def layer_table(
    library: Library,
    source: ModelSource,
    options: ProviderOptions,
    plan: Plan,
    interface: Interface,
    lender: Contexts | None = None,
    custom_ops: CustomOps | None = None,
) -> str:
    """Run the model once, with zeros and on the cores of the first worker, and return the runtime's table.

    ``lender`` has the weights that the model leaves out; ``custom_ops`` are registered with the context.

    Raises:
        RknnError: the runtime refuses another context, or fails; or the lender is closed.
    """
    with ExitStack() as undo:
        weights = None
        if lender is not None:
            loan = lender.lend()
            undo.callback(loan.end)
            weights = loan.context
        with library.simulator_settings(options.simulator):
            context = source.open_context(library, COLLECT_PERF, weights_of=weights)
        undo.callback(context.destroy)
        mask = plan.workers[0].core_mask
        if mask is not None:
            context.set_core_mask(mask)
        if custom_ops is not None:
            custom_ops.register(context)
        # An interface of its own: the session's may send tensors into memory that is bound to its workers' contexts.
        copying = Interface(interface.sets, "nhwc")
        shapes = copying.input_shapes()[0]
        request = copying.request({name: np.zeros(shape, np.uint8) for name, shape in shapes.items()}, private=False)
        task = Task(len(request.inputs), len(request.outputs))
        request.fill(task)
        context.run(task)
        return context.perf_detail()
