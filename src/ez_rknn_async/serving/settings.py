# SPDX-License-Identifier: Apache-2.0
"""``model.toml``: how one model of a repository is served. Everything in it is optional.

queue = 64             # requests admitted and not answered; more get 503
timeout_ms = 0         # the longest wait in the queue; 0: no limit
max_batch = 8          # the samples of one request
max_body = 0           # bytes of a request; 0: from the model's inputs
input_datatype = ""    # what the metadata calls image inputs, such as "UINT8"; "": the session's own type
warm_up = 0            # inferences before the model is ready

[options]              # provider options
schedule = [0, 1, 2]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..errors import RknnValueError
from .datatypes import BYTES, DATATYPES

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ModelSettings:
    """How one model is served; see the module."""

    queue: int = 64
    timeout_ms: int = 0
    max_batch: int = 8
    max_body: int = 0
    input_datatype: str = ""
    warm_up: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("queue", 1), ("timeout_ms", 0), ("max_batch", 1), ("max_body", 0), ("warm_up", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise RknnValueError(f"model.toml: {name} = {value!r} must be a whole number of at least {least}")
        numeric = [datatype for datatype in DATATYPES if datatype not in (BYTES, "BF16")]
        if self.input_datatype not in ("", *numeric):
            raise RknnValueError(
                f"model.toml: input_datatype = {self.input_datatype!r} is not one of {', '.join(numeric)}"
            )
        if not isinstance(self.options, dict):
            raise RknnValueError("model.toml: options must be a table of provider options, [options]")


def read_settings(path: Path) -> ModelSettings:
    """Return the settings in a file, or the defaults if there is none.

    Raises:
        RknnValueError: the file is not TOML, or a setting is unknown or has a value that it cannot have.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ModelSettings()
    except UnicodeDecodeError:
        raise RknnValueError("model.toml is not UTF-8 text") from None
    given = _parsed(text)
    known = [entry.name for entry in fields(ModelSettings)]
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise RknnValueError(f"model.toml: {unknown!r} is not one of {', '.join(known)}")
    return ModelSettings(**given)


def _parsed(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        parsed: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RknnValueError(f"model.toml is not TOML: {error}") from None
    return parsed
