# SPDX-License-Identifier: Apache-2.0
"""The execution providers: their names, and the arguments of ``InferenceSession`` that choose one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Union

from .._messages.callers import user_stacklevel
from .._messages.wording import shown
from .._runtime.locate import locate
from ..errors import RknnRuntimeNotFoundError, RknnTypeError, RknnValueError

RKNPU2 = "RKNPU2ExecutionProvider"
RKNPU2_SIMULATOR = "RKNPU2SimulatorExecutionProvider"
RKNPU3 = "RKNPU3ExecutionProvider"  # known by name only
_ALIASES = {RKNPU2: RKNPU2, "RKNNExecutionProvider": RKNPU2, RKNPU2_SIMULATOR: RKNPU2_SIMULATOR}

# The arguments of a session's methods: options; providers by name or with their options. None: whatever there is.
ProviderOptionsLike = Union[Mapping[str, Any], Sequence[Mapping[str, Any]], None]
Providers = Union[str, Sequence[Union[str, tuple[str, ProviderOptionsLike]]], None]


def get_all_providers() -> list[str]:
    """Return the providers that this package knows, whatever this machine has."""
    return [RKNPU2, RKNPU2_SIMULATOR]


def get_available_providers() -> list[str]:
    """Return the providers that this machine has, the best first: the NPU, if there is one, and the simulated NPU."""
    return get_all_providers() if _has_npu() else [RKNPU2_SIMULATOR]


def get_device() -> str:
    """Return the device that computes by default on this machine: ``"NPU"``, or ``"CPU"`` if the NPU is simulated."""
    return "NPU" if _has_npu() else "CPU"


def _has_npu() -> bool:
    try:
        return not locate().library.simulated
    except RknnRuntimeNotFoundError:
        return False


def choose(providers: Providers, provider_options: ProviderOptionsLike) -> tuple[str | None, dict[str, Any]]:
    """Return the provider asked for, and its options as a dictionary.

    Args:
        providers: None, a name, or a sequence of names or ``(name, options)`` pairs: the one to use, or several that
            differ, as :func:`get_available_providers` gives them, of which the first is used.
        provider_options: None, a dictionary, or a sequence with one dictionary.

    Returns:
        The provider's name (None: whichever this machine has) and the options.

    Raises:
        RknnValueError, RknnTypeError: an argument is none of these, or the options are given twice.
    """
    name, inline = _provider(providers)
    options = _options(provider_options)
    if inline and options:
        raise RknnValueError("options are given both in providers and in provider_options; give them in one place")
    return name, inline or options


def warn_of_simulation(providers: Providers, runtime_library: str | None) -> None:
    """Warn if the NPU was asked for by name, nothing else was, and this machine has none.

    Args:
        providers: as :func:`choose` takes them, checked.
        runtime_library: the provider option.
    """
    entries = [providers] if isinstance(providers, str) else providers or ()
    names = [_named(entry)[0] for entry in entries]
    if names[:1] == [RKNPU2] and RKNPU2_SIMULATOR not in names and locate(runtime_library).is_last_resort:
        warnings.warn(
            f"{RKNPU2} is not available: this machine has no Rockchip NPU, so the model runs on the simulated one, "
            f"with the NPU's numbers but not its speed. To say that this is meant, name {RKNPU2_SIMULATOR}; without "
            "providers the NPU is used where there is one, and the simulated one elsewhere",
            UserWarning,
            stacklevel=user_stacklevel(),
        )


def _provider(providers: Any) -> tuple[str | None, dict[str, Any]]:
    if providers is None:
        return None, {}
    takes = "a name, or a sequence of names or of pairs (name, options)"
    entries = [providers] if isinstance(providers, str) else _sequence("providers", providers, takes)
    named = [_named(entry) for entry in entries]
    if len({name for name, _ in named}) < len(named):
        raise RknnValueError(f"providers={providers!r} names one provider twice; a session runs on one")
    return named[0] if named else (None, {})


def _named(entry: Any) -> tuple[str, dict[str, Any]]:
    name, inline = (entry, {}) if isinstance(entry, str) else _pair(entry)
    if name == RKNPU3:
        raise RknnValueError(f"{RKNPU3} is for RKNX models and the NPUs that run them; this package drives {RKNPU2}")
    if name not in _ALIASES:
        raise RknnValueError(
            f"there is no provider {name!r} here; the providers are {', '.join(_ALIASES)}",
            hint="a session runs on one of them alone, so leave the others of ONNX Runtime out",
        )
    return _ALIASES[name], inline


def _pair(entry: Any) -> tuple[str, dict[str, Any]]:
    if not (isinstance(entry, Sequence) and len(entry) == 2 and isinstance(entry[0], str)):
        raise RknnTypeError(f"a provider is a name or a pair (name, options), not {shown(entry)}")
    return entry[0], _options(entry[1])


def _options(provider_options: Any) -> dict[str, Any]:
    if provider_options is None:
        return {}
    if isinstance(provider_options, Mapping):
        return dict(provider_options)
    takes = "a dictionary, or a sequence with one"
    entries = _sequence("provider_options", provider_options, takes)
    if len(entries) != 1 or not isinstance(entries[0], Mapping):
        raise RknnTypeError(f"provider_options takes {takes}, not {shown(provider_options)}")
    return dict(entries[0])


def _sequence(argument: str, value: Any, takes: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise RknnTypeError(f"{argument} takes {takes}, not {shown(value)}")
    return value
