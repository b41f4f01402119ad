# SPDX-License-Identifier: Apache-2.0
"""The wording for names that the model does not have: the names perhaps meant, and those that there are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def meant(name: object, names: Iterable[str]) -> str:
    """Return the name that was perhaps meant, as a question; "" if none is near."""
    by_lower = {each.lower(): each for each in names}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    return f"did you mean {by_lower[near[0]]!r}?" if near else ""


def inputs_are(names: Sequence[str]) -> str:
    """List the names of a model's inputs."""
    return f"the model's inputs are {', '.join(map(repr, names))}"


def no_input(name: object, names: Sequence[str], missing: Sequence[str] = ()) -> str:
    """Return the message for an unknown input; ``missing`` are the inputs that nothing was given for, if any."""
    said = [f"the model has no input {name!r}", meant(name, missing or names), inputs_are(names)]
    return "; ".join(filter(None, said))
