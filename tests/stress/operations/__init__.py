# SPDX-License-Identifier: Apache-2.0
"""The operations of a thread of the machine, by name."""

from __future__ import annotations

from collections.abc import Callable

from ..actor import Actor
from . import arrays, bindings, callbacks, coroutines, endings, exchanges, futures, pipelines, values

OPERATIONS: dict[str, Callable[[Actor], None]] = {
    "run": arrays.run,
    "batch": arrays.batch,
    "look": arrays.look,
    "run_async": callbacks.run_async,
    "submit": futures.submit,
    "map": futures.stream,
    "awaitable": coroutines.awaitable,
    "map_awaitable": coroutines.stream,
    "pipeline": pipelines.pipeline,
    "binding_run": bindings.run,
    "binding_submit": bindings.submit,
    "binding_async": bindings.run_async,
    "binding_awaitable": bindings.awaitable,
    "binding_kept": bindings.kept,
    "value_shared": values.shared,
    "value_read": values.read,
    "value_drop": values.drop,
    "value_cycle": values.cycle,
    "collect": values.collect,
    "reset": exchanges.reset,
    "set_providers": exchanges.set_providers,
    "recover": exchanges.recover,
    "close": endings.close,
    "close_cancel": endings.close_cancel,
    "with": endings.with_block,
    "drop": endings.drop,
    "drop_cycle": endings.drop_cycle,
    "close_in_callback": endings.close_in_callback,
}
