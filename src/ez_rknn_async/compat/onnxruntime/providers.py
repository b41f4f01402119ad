# SPDX-License-Identifier: Apache-2.0
"""The execution providers of a program: those of the NPU, and those of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._messages.wording import shown
from ..._options import providers as npu
from ..._options.provider_options import is_option
from ...errors import RknnTypeError
from .genuine import genuine

CPU = "CPUExecutionProvider"
_NPU = (*npu.get_all_providers(), "RKNNExecutionProvider")


def get_available_providers() -> list[str]:
    """The NPU's providers, then those of ONNX Runtime; without it, the CPU's all the same, as programs look for it."""
    return [*npu.get_available_providers(), *(genuine.get_available_providers() if genuine is not None else [CPU])]


def get_all_providers() -> list[str]:
    """Those of both, whatever this machine has."""
    return [*npu.get_all_providers(), *(genuine.get_all_providers() if genuine is not None else [CPU])]


class NamedProvider(NamedTuple):
    """A provider as the program names it, with its options."""

    name: str
    options: dict[str, Any]


class Wanted(NamedTuple):
    """What a program says about providers.

    Attributes:
        providers: in its order; None where it names none.
        options: what it gives without naming providers.
    """

    providers: list[NamedProvider] | None
    options: list[dict[str, Any]]

    @classmethod
    def of(cls, providers: Any, provider_options: Any) -> Wanted:
        """Read the two arguments of ``InferenceSession``; like ONNX Runtime's, options may be fewer than providers.

        Raises:
            RknnTypeError: they are of other types.
        """
        options = _listed(provider_options)
        if providers is None:
            return cls(None, options)
        entries = [providers] if isinstance(providers, str) else _iterated("providers", providers)
        options += [{}] * (len(entries) - len(options))
        return cls([_named(entry, given) for entry, given in zip(entries, options)], [])

    def for_npu(self) -> tuple[list[str] | None, dict[str, Any], list[str]]:
        """The NPU's provider, if one is named; the options for it; and the providers passed over."""
        if self.providers is None:
            known = {key: value for given in self.options for key, value in given.items() if is_option(key)}
            return None, known, []
        ours = [each for each in self.providers if each.name in _NPU][:1]
        rest = [each.name for each in self.providers if each not in ours]
        return ([ours[0].name], ours[0].options, rest) if ours else (None, {}, rest)

    def for_onnxruntime(self) -> tuple[list[str] | None, list[dict[str, Any]] | None]:
        """Arguments for ONNX Runtime, which has none of the NPU's providers."""
        if self.providers is None:
            return None, self.options or None
        theirs = [each for each in self.providers if each.name not in _NPU] or [NamedProvider(CPU, {})]
        return [each.name for each in theirs], [each.options for each in theirs]


def _named(entry: Any, options: dict[str, Any]) -> NamedProvider:
    if isinstance(entry, str):
        return NamedProvider(entry, options)
    if isinstance(entry, (tuple, list)) and len(entry) == 2 and isinstance(entry[0], str):
        return NamedProvider(entry[0], {**options, **(entry[1] or {})})
    raise RknnTypeError(f"a provider is a name or a pair (name, options), not {shown(entry)}")


def _listed(provider_options: Any) -> list[dict[str, Any]]:
    if provider_options is None:
        return []
    if isinstance(provider_options, Mapping):
        return [dict(provider_options)]
    return [dict(given or {}) for given in _iterated("provider_options", provider_options)]


def _iterated(argument: str, value: Any) -> list[Any]:
    try:
        return list(value)
    except TypeError:
        raise RknnTypeError(f"{argument} takes a sequence, not {shown(value)}") from None
