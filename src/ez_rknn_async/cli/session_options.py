"""The arguments that say how a session is to use the NPU, shared by the commands that open one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._options.provider_options import make_provider_options
from ..errors import RknnValueError
from .flags import FLAGS

if TYPE_CHECKING:
    import argparse

# The provider options that have a flag, under the same names.
NAMES = tuple(name for name in FLAGS if name != "ztu_modelrt_dispatch_batch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--schedule`` and its like to a parser."""
    group = parser.add_argument_group("session options")
    group.add_argument("--schedule", metavar="CORES", help="one inference a core, such as 0,1,2 or all")
    group.add_argument("--tp-mode", metavar="MODE", help="several cores an inference: auto, all, 0, 1, 2, 0,1 or 0,1,2")
    group.add_argument("--threads-per-core", type=int, metavar="N", help="worker threads for each core (1)")
    group.add_argument("--layout", metavar="LAYOUT", help="what 4-D inputs look like: nchw (default), nhwc or any")
    group.add_argument("--io-mode", metavar="MODE", help="how tensors travel: auto (default), direct or copy")
    group.add_argument(
        "--custom-op",
        action="append",
        dest="custom_op_path",
        metavar="PATH",
        help="a plug-in with custom operators; may be given several times",
    )
    group.add_argument("--runtime-library", metavar="PATH", help="path of librknnrt.so, or 'simulator'")
    group.add_argument(
        "--simulator", metavar="SETTINGS", help="settings of the simulated NPU, such as timing=modelled,compute=off"
    )
    group.add_argument(
        "--option",
        action="append",
        default=[],
        dest="others",
        metavar="NAME=VALUE",
        help="any other provider option, such as run_timeout_ms=500; may be given several times",
    )


def provider_options(arguments: argparse.Namespace, **overrides: Any) -> dict[str, Any]:
    """The provider options that the arguments ask for.

    Raises:
        RknnValueError: they contradict each other.
    """
    named = make_provider_options(**{**{name: getattr(arguments, name) for name in NAMES}, **overrides})
    others = dict(map(_other, arguments.others))
    twice = named.keys() & others.keys()
    if twice:
        name = min(twice)
        raise RknnValueError(f"{name} is given twice: with {FLAGS[name]} and with --option; leave one out")
    return {**named, **others}


def _other(argument: str) -> tuple[str, str]:
    name, separator, value = argument.partition("=")
    if not separator or not name:
        raise RknnValueError(f"--option {argument} says no value; write it as --option NAME=VALUE")
    return name, value
