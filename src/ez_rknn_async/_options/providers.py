# SPDX-License-Identifier: Apache-2.0
"""The execution providers: their names, and the arguments of ``InferenceSession`` that choose one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, NamedTuple, Union

from .._messages.callers import user_stacklevel
from .._messages.wording import shown
from .._runtime.locate import locate
from ..errors import RknnRuntimeNotFoundError, RknnTypeError, RknnValueError

logger = logging.getLogger("ez_rknn_async")

RKNPU2 = "RKNPU2ExecutionProvider"
RKNPU2_SIMULATOR = "RKNPU2SimulatorExecutionProvider"
RKNPU3 = "RKNPU3ExecutionProvider"  # known by name only
_ALIASES = {RKNPU2: RKNPU2, "RKNNExecutionProvider": RKNPU2, RKNPU2_SIMULATOR: RKNPU2_SIMULATOR}

# The arguments of a session's methods: options; providers by name or with their options. None: whatever there is.
ProviderOptionsLike = Union[Mapping[str, Any], Sequence[Mapping[str, Any]], None]
Providers = Union[str, Collection[Union[str, tuple[str, ProviderOptionsLike]]], None]

# Options of ONNX Runtime's own providers, which programs set for whichever is available.
_FOREIGN_OPTIONS = (
    *("arena_extend_strategy", "cudnn_conv_algo_search", "cudnn_conv_use_max_workspace"),
    *("do_copy_in_default_stream", "enable_cuda_graph", "gpu_mem_limit", "prefer_nhwc", "use_tf32"),
)


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


class _Entry(NamedTuple):
    """A provider that the caller names, whether it is here or not."""

    name: str
    inline: Mapping[str, Any]  # its options, given with the name
    place: int

    @property
    def is_usable(self) -> bool:
        return self.name in _ALIASES


def choose(providers: Providers, provider_options: ProviderOptionsLike) -> tuple[str | None, dict[str, Any]]:
    """Return the provider asked for, and its options as a dictionary.

    Args:
        providers: None, a name, or a collection of names or ``(name, options)`` pairs. Of those that are here, the
            first is used; others, such as ONNX Runtime's, may stand beside it.
        provider_options: None, a dictionary, or a sequence of dictionaries: one for each provider, or one for all.

    Returns:
        The provider's name (None: whichever this machine has) and the options.

    Raises:
        RknnValueError, RknnTypeError: no provider named is here, one is named twice, an argument is none of these, or
            the options are given twice.
    """
    named = _named(providers)
    usable = [each for each in named if each.is_usable]
    if named and not usable:
        raise _nothing_usable(named)
    if len({_ALIASES[each.name] for each in usable}) < len(usable):
        raise RknnValueError(f"providers={providers!r} names one provider twice; a session runs on one")
    chosen = usable[0] if usable else _Entry("", {}, 0)
    options = _ours(_options_at(chosen.place, len(named), provider_options))
    inline = _ours(chosen.inline)
    if inline and options:
        raise RknnValueError("options are given both in providers and in provider_options; give them in one place")
    return _ALIASES.get(chosen.name), inline or options


def warn_of_skipped(providers: Providers) -> None:
    """Warn of providers that are not here but were named beside one that is, as ONNX Runtime does.

    Args:
        providers: as :func:`choose` takes them, checked.
    """
    skipped = [each.name for each in _named(providers) if not each.is_usable]
    if skipped:
        warnings.warn(
            f"{', '.join(skipped)} not available here, so skipped: a session runs on the NPU alone. Leave "
            f"{'it' if len(skipped) == 1 else 'them'} out of providers to be rid of this warning",
            UserWarning,
            stacklevel=user_stacklevel(),
        )


def warn_of_simulation(providers: Providers, runtime_library: str | None) -> None:
    """Warn if the NPU was asked for by name, the simulated one was not, and this machine has no NPU.

    Args:
        providers: as :func:`choose` takes them, checked.
        runtime_library: the provider option.
    """
    names = [_ALIASES[each.name] for each in _named(providers) if each.is_usable]
    if names[:1] == [RKNPU2] and RKNPU2_SIMULATOR not in names and locate(runtime_library).is_last_resort:
        warnings.warn(
            f"{RKNPU2} is not available: this machine has no Rockchip NPU, so the model runs on the simulated one, "
            f"with the NPU's numbers but not its speed. To say that this is meant, name {RKNPU2_SIMULATOR}; without "
            "providers the NPU is used where there is one, and the simulated one elsewhere",
            UserWarning,
            stacklevel=user_stacklevel(),
        )


def _nothing_usable(named: Sequence[_Entry]) -> RknnValueError:
    names = [each.name for each in named]
    if names == [RKNPU3]:
        return RknnValueError(f"{RKNPU3} is for RKNX models and the NPUs that run them; this package drives {RKNPU2}")
    said = f"there is no provider {names[0]!r} here" if len(names) == 1 else f"none of the providers {names} is here"
    return RknnValueError(
        f"{said}; the providers are {', '.join(_ALIASES)}",
        hint="name one of them, alone or beside others, or leave providers out; to run an ONNX model on the CPU use "
        "onnxruntime, and for a program with both kinds of models python -m ez_rknn_async.compat onnxruntime",
    )


def _named(providers: Any) -> list[_Entry]:
    """The providers that the caller names; those of a set, which has no order, the NPU first."""
    if providers is None:
        return []
    takes = "a name, or a sequence of names or of pairs (name, options)"
    entries = [providers] if isinstance(providers, str) else list(_collection("providers", providers, takes))
    named = [_Entry(*((entry, {}) if isinstance(entry, str) else _pair(entry)), i) for i, entry in enumerate(entries)]
    return sorted(named, key=lambda each: each.name == RKNPU2_SIMULATOR) if isinstance(providers, Set) else named


def _pair(entry: Any) -> tuple[str, Mapping[str, Any]]:
    if not (isinstance(entry, Sequence) and len(entry) == 2 and isinstance(entry[0], str)):
        raise RknnTypeError(f"a provider is a name or a pair (name, options), not {shown(entry)}")
    return entry[0], _options_at(0, 1, entry[1])


def _options_at(place: int, providers: int, provider_options: Any) -> Mapping[str, Any]:
    """The options for one of the providers: an entry for each, or a single one for whichever is used."""
    if provider_options is None:
        return {}
    if isinstance(provider_options, Mapping):
        return provider_options
    takes = "a dictionary, or a sequence of dictionaries"
    entries = list(_collection("provider_options", provider_options, takes))
    if not all(isinstance(entry, Mapping) for entry in entries):
        raise RknnTypeError(f"provider_options takes {takes}, not {shown(provider_options)}")
    if providers > 1 and len(entries) > 1:
        for name in (name for i, entry in enumerate(entries) if i != place for name in entry):
            logger.debug("the option %s is for a provider that is not used", name)
        entries = entries[place : place + 1]
    given = [entry for entry in entries if entry]
    if len(given) > 1:
        raise RknnTypeError(
            f"provider_options has {len(given)} dictionaries with options, but a session has one provider; give one"
        )
    return given[0] if given else {}


def _ours(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without those of ONNX Runtime's own providers."""
    for name in options:
        if _is_foreign(name):
            logger.debug("the provider option %s=%r means nothing on an NPU", name, options[name])
    return {name: value for name, value in options.items() if not _is_foreign(name)}


def _is_foreign(name: Any) -> bool:
    return name in _FOREIGN_OPTIONS or str(name).startswith("trt_")


def _collection(argument: str, value: Any, takes: str) -> Collection[Any]:
    if not isinstance(value, Collection) or isinstance(value, (str, bytes, Mapping)):
        raise RknnTypeError(f"{argument} takes {takes}, not {shown(value)}")
    return value
