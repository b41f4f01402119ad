# SPDX-License-Identifier: Apache-2.0
"""The options of RKNPU3, the other generation of NPUs, for programs that choose between the two.

The types are for annotations: ``options: Rknpu2ProviderOptions = {"schedule": [0, 1, 2]}``. They are plain
dictionaries; :class:`InferenceSession` checks what is in them.
"""

# Annotations are evaluated here, unlike elsewhere: tools read those of a TypedDict at run time.
from typing import Any, Optional, TypedDict, Union

from .checks import PathLike
from .keywords import Rknpu2ProviderOptions


class Rknpu3ProviderOptions(TypedDict, total=False):
    """The options of the other generation's NPUs, which this package does not drive: a session refuses them."""

    runtime_library: PathLike
    device_id: Union[str, int]
    weight_path: PathLike
    priority: int
    run_timeout_ms: int
    run_core_mask: Union[int, str]


class RknnProviderOptions(Rknpu2ProviderOptions, total=False):
    """The options of either generation."""

    device_id: Union[str, int]
    weight_path: PathLike
    run_core_mask: Union[int, str]


def make_rknpu3_provider_options(
    *,
    runtime_library: Optional[PathLike] = None,
    device_id: Union[str, int, None] = None,
    weight_path: Optional[PathLike] = None,
    priority: Optional[int] = None,
    run_timeout_ms: Optional[int] = None,
    run_core_mask: Union[int, str, None] = None,
) -> dict[str, Any]:
    """Return the dictionary of options for RKNPU3, without options that are None.

    It is here so that programs which choose between the two generations can be imported and run where there is an
    RKNPU2. Sessions refuse RKNPU3 models and providers with a clear message.
    """
    return {key: value for key, value in locals().items() if value is not None}
