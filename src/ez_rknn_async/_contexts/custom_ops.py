# SPDX-License-Identifier: Apache-2.0
"""The custom operators of a session: the plug-ins that it loads, registered with each of its contexts.

A plug-in that the user names must be valid. The system's directory holds whatever was installed there: an invalid
plug-in is a warning, and the others are loaded.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.paths import printable
from .._messages.callers import user_stacklevel
from .._messages.wording import option, provider_option
from .._runtime.plugin import Plugin, array_of, load_plugin
from ..errors import RknnError, RknnModelError, RknnValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._options.provider_options import ProviderOptions
    from .._runtime.context import Context
    from .._runtime.library import Library
    from ..model import Model

# The directory and the names that the vendor's own tools search.
DEFAULT_DIRECTORY = Path("/usr/lib/rknpu/op_plugins")
DEFAULT_NAMES = "librkcst_*.so"

REGISTER = "rknn_register_custom_ops"

logger = logging.getLogger("ez_rknn_async")


class CustomOps:
    """Loaded plug-ins, to be registered with every context of a session."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._array = array_of(plugins)  # the runtime may keep pointing to it

    def register(self, context: Context) -> None:
        """Register all of them; their ``init`` functions run now.

        Raises:
            RknnError: the runtime refuses one, or its ``init`` failed.
        """
        context.register_custom_ops(self, self._array)


def load_custom_ops(library: Library, options: ProviderOptions) -> CustomOps | None:
    """Load the plug-ins that the options ask for; None if there are none.

    Raises:
        RknnValueError: one that the user names is not a plug-in, or two are for the same operator.
        RknnError: the runtime is too old for custom operators.
    """
    if not options.custom_op_path and not options.custom_op_default_path:
        return None
    if not library.has(REGISTER):
        raise RknnError(
            f"{library.path} cannot have custom operators: it has no function {REGISTER}",
            hint="install a newer librknnrt.so: version 1.5.2 has none yet",
        )
    library.make_visible()
    plugins: dict[tuple[str, int, str], Plugin] = {}
    for path in options.custom_op_path:
        _add(plugins, load_plugin(path))
    if options.custom_op_default_path:
        _add_defaults(plugins)
    for plugin in plugins.values():
        logger.info("custom operator %s from %s", plugin, printable(plugin.path))
    return CustomOps(list(plugins.values())) if plugins else None


def check_custom_operators(model: Model, library: Library, custom_ops: CustomOps | None) -> None:
    """Warn of a model's custom operators that no plug-in brings.

    Raises:
        RknnModelError: the runtime is too old for custom operators: it would end the process.
    """
    missing = ", ".join(missing_operators(model, custom_ops))
    if missing and not library.has(REGISTER):
        raise RknnModelError(
            f"the model has custom operators ({missing}), which {library.path} cannot have: it has no {REGISTER}",
            hint="install a newer librknnrt.so: version 1.5.2 has none yet",
        )
    if missing:
        logger.warning(
            "the model has custom operators that no plug-in brings: %s; it will not run without: give the plug-in's "
            "path with %s",
            missing,
            provider_option("custom_op_path"),
        )


def missing_operators(model: Model, custom_ops: CustomOps | None) -> tuple[str, ...]:
    """Return the custom operators of a model that no plug-in brings."""
    needed = {node.op for graph in model.graphs for node in graph.nodes if node.is_custom}
    return tuple(sorted(needed - {plugin.operator for plugin in (custom_ops.plugins if custom_ops else ())}))


def _add(plugins: dict[tuple[str, int, str], Plugin], plugin: Plugin) -> None:
    other = plugins.get(plugin.identity)
    if other is not None:
        raise RknnValueError(
            f"the custom operator {plugin} is brought twice: by {other.path} and by {plugin.path}; leave out one"
        )
    plugins[plugin.identity] = plugin


def _add_defaults(plugins: dict[tuple[str, int, str], Plugin]) -> None:
    if not DEFAULT_DIRECTORY.is_dir():
        _warn(f"{option('custom_op_default_path')} is set, but there is no directory {DEFAULT_DIRECTORY}")
        return
    for path in sorted(DEFAULT_DIRECTORY.glob(DEFAULT_NAMES)):
        try:
            _add(plugins, load_plugin(str(path)))
        except RknnValueError as error:
            _warn(f"a plug-in of {DEFAULT_DIRECTORY} is left out: {error}")


def _warn(message: str) -> None:
    logger.warning("%s", message)
    warnings.warn(message, UserWarning, stacklevel=user_stacklevel())
