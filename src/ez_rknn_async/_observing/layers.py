# SPDX-License-Identifier: Apache-2.0
"""The runtime's own table of the time that each layer takes.

For this table the runtime submits every layer on its own, which makes inferences slower and changes their timeline.
So it is not collected while a session works: a separate context runs once, and is queried.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from .._runtime.context import COLLECT_PERF
from .._runtime.task import EngineTask
from .._transport.copying import Copying
from .._transport.signature import Signature

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
    signature: Signature,
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
        # By copy: direct I/O sends tensors into memory that is bound to the contexts of the session's workers.
        in_nhwc = Signature.of(signature.sets, "nhwc")
        shapes = in_nhwc.input_shapes()[0]
        given, chosen = in_nhwc.check({name: np.zeros(shape, np.uint8) for name, shape in shapes.items()})
        request = Copying(in_nhwc).request(given, chosen, in_nhwc.receivers(chosen), private=False)
        task = EngineTask(len(in_nhwc.inputs), len(in_nhwc.outputs))
        request.fill(task)
        context.set_inputs(task)
        context.run()
        return context.perf_detail()
