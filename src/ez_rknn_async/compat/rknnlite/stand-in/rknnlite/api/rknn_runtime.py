# SPDX-License-Identifier: Apache-2.0
"""``from rknnlite.api.rknn_runtime import RKNNRuntime``."""

from ez_rknn_async.compat.rknnlite import RKNNRuntime

__all__ = ["RKNNRuntime"]
