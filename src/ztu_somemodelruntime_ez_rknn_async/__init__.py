# SPDX-License-Identifier: Apache-2.0
"""The documented import name of the API that this package implements: everything is ``ez_rknn_async``'s."""

# Nothing of its own, on purpose: a name added there is a name here.
from ez_rknn_async import *  # noqa: F403
from ez_rknn_async import __all__ as __all__
from ez_rknn_async import __version__ as __version__
