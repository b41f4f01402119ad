# SPDX-License-Identifier: Apache-2.0
"""The arguments for a session's provider options, shared by the commands that open one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._options.keywords import make_provider_options
from .._options.provider_options import OPTIONS
from ..errors import RknnValueError
from .flags import FLAGS

if TYPE_CHECKING:
    import argparse

    from .._options.option import Option

# The provider options that have a flag: the placeholder of the value, and the help; choices and default follow.
_ARGUMENTS = {
    "schedule": ("CORES", "one inference a core, such as 0,1,2 or all"),
    "tp_mode": ("MODE", "several cores an inference"),
    "threads_per_core": ("N", "worker threads for each core"),
    "layout": ("LAYOUT", "the layout of 4-D inputs"),
    "io_mode": ("MODE", "the transport of tensors"),
    "custom_op_path": ("PATH", "a plug-in with custom operators; may be given several times"),
    "runtime_library": ("PATH", "path of librknnrt.so, or 'simulator'"),
    "simulator": ("SETTINGS", "settings of the simulated NPU, such as timing=modelled,compute=off"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--schedule`` and its like to a parser."""
    group = parser.add_argument_group("session options")
    for name, (metavar, does) in _ARGUMENTS.items():
        option = OPTIONS[name]
        group.add_argument(
            FLAGS[name],
            dest=name,
            metavar=metavar,
            help=does + _values(option),
            type=int if option.check.annotation == "int" else str,
            action="append" if isinstance(option.default, tuple) else "store",
        )
    group.add_argument(
        "--option",
        action="append",
        default=[],
        dest="others",
        metavar="NAME=VALUE",
        help="any other provider option, such as run_timeout_ms=500; may be given several times",
    )


def _values(option: Option) -> str:
    """Return an option's choices and default, to follow its help."""
    default = option.shown_default.strip('`"')
    choices = [f"{choice} (default)" if choice == default else choice for choice in option.check.choices]
    if choices:
        return f": {', '.join(choices[:-1])} or {choices[-1]}"
    return f" ({default})" if option.default else ""


def provider_options(arguments: argparse.Namespace, **overrides: Any) -> dict[str, Any]:
    """Return the provider options that the arguments ask for.

    Raises:
        RknnValueError: the arguments contradict each other.
    """
    named = make_provider_options(**{**{name: getattr(arguments, name) for name in _ARGUMENTS}, **overrides})
    others = dict(map(_other, arguments.others))
    twice = named.keys() & others.keys()
    if twice:
        name = min(twice)
        raise RknnValueError(f"{name} is given twice: with {FLAGS[name]} and with --option; leave one out")
    return {**named, **others}


def _other(argument: str) -> tuple[str, str]:
    name, separator, value = argument.partition("=")
    if not separator or not name:
        raise RknnValueError(f"--option {argument} has no value; write it as --option NAME=VALUE")
    return name, value
