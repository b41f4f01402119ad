# SPDX-License-Identifier: Apache-2.0
"""The names of options in messages: those of the interface in use.

The library's messages are written once, and read by programs' authors, who know an option as a key of a dictionary,
and by users of the command line, who know it as a flag. The command line sets its own names while it runs; see
:func:`speaking`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNSAID: Any = object()
_LONGEST = 100  # characters of a value that a message quotes


@dataclass(frozen=True)
class Wording:
    """An interface's names for options.

    Attributes:
        kind: the words before a provider option's name where it is first mentioned.
        run_kind: the same for an option of a single run.
        is_python: True if the user has the package's objects at hand, and can be told to call their methods.
        write: writes an option's name, with a value, as the user would; see :func:`is_said`.
    """

    kind: str
    run_kind: str
    is_python: bool
    write: Callable[[str, Any], str]


def is_said(value: Any) -> bool:
    """Check if a value is given to :attr:`Wording.write`."""
    return value is not _UNSAID


def _keyword(name: str, value: Any) -> str:
    return f"{name}={shown(value)}" if is_said(value) else name


PYTHON = Wording("the provider option ", "the run option ", True, _keyword)
_spoken = [PYTHON]  # the last one is in use


@contextlib.contextmanager
def speaking(wording: Wording) -> Iterator[None]:
    """Use these names in all messages of the process inside the ``with`` block, whichever thread they come from."""
    _spoken.append(wording)
    try:
        yield
    finally:
        _spoken.remove(wording)


def option(name: str, value: Any = _UNSAID) -> str:
    """Return an option as the user writes it: ``layout='nhwc'``, or ``--layout nhwc``."""
    return _spoken[-1].write(name, value)


def provider_option(name: str, value: Any = _UNSAID) -> str:
    """Return it as first mentioned: ``the provider option layout='nhwc'``, or ``--layout nhwc``."""
    return _spoken[-1].kind + option(name, value)


def run_option(name: str, value: Any = _UNSAID) -> str:
    """Return an option of a single run: ``the run option ztu_modelrt_dispatch_batch``, or ``--dispatch-batch``."""
    return _spoken[-1].run_kind + option(name, value)


def in_python(advice: str) -> str:
    """Return advice that only helps the author of a program; "" for any other user."""
    return advice if _spoken[-1].is_python else ""


def shown(value: Any) -> str:
    """Describe a given value in a message: one short line, also for arrays and what holds them."""
    if isinstance(value, Mapping):
        return f"a dictionary with {_short(', '.join(map(repr, value)))}" if value else "an empty dictionary"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"an array of {value.dtype} {list(value.shape)}"
    if isinstance(value, (list, tuple)) and any(hasattr(item, "shape") for item in value):
        return f"a {type(value).__name__} of {len(value)} values such as {shown(value[0])}"
    return _short(repr(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
