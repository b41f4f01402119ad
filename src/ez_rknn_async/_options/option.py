# SPDX-License-Identifier: Apache-2.0
"""One option: its check, its default, its other names and its documentation, all declared once.

A frozen dataclass declares each of its fields with :func:`declare`; the parser of a user's dictionary, the keywords of
:func:`make_provider_options`, the command line's help and the tables of the reference are made from that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_KEY = "option"  # in the metadata of a field


@dataclass(frozen=True)
class Check(Generic[T_co]):
    """The check of an option's values. Call it with the option's name and the value that the user gave.

    Attributes:
        parse: makes the check; it raises RknnValueError or RknnTypeError.
        annotation: the type of the values that the user may give, as Python source.
        values: the same for readers, in Markdown.
        choices: the choices, each under its first name; empty where the option takes more than names.
    """

    parse: Callable[[str, Any], T_co]
    annotation: str
    values: str
    choices: tuple[str, ...] = ()

    def __call__(self, name: str, given: Any) -> T_co:
        return self.parse(name, given)


@dataclass(frozen=True)
class Option:
    """The declaration of an option, without its name.

    Attributes:
        default: the value in force if the user gives none.
        check: the check of its values.
        meaning: its effect, in sentences of Markdown.
        see: a link to the page that says more, for a page in ``docs/reference``; otherwise "".
        aliases: its other names.
        unset: the meaning of a default of None, in Markdown.
    """

    default: Any
    check: Check[Any]
    meaning: str
    see: str = ""
    aliases: tuple[str, ...] = ()
    unset: str = "none"

    @property
    def shown_default(self) -> str:
        """The default as the reference shows it."""
        if self.default is None or self.default == ():
            return self.unset
        if isinstance(self.default, str):
            return f'`"{self.default}"`'
        return f"`{self.default}`"


def declare(
    default: T, check: Check[T], meaning: str, *, see: str = "", aliases: tuple[str, ...] = (), unset: str = "none"
) -> T:
    """Declare a field of a dataclass as an :class:`Option`; to type checkers it is the default."""
    option = Option(default, check, meaning, see, aliases, unset)
    declaration: T = field(default=default, metadata={_KEY: option})
    return declaration


def declared(options: type) -> dict[str, Option]:
    """Return the options that a dataclass declares, by name."""
    return {each.name: each.metadata[_KEY] for each in fields(options)}
