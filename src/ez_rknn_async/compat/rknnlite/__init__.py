# SPDX-License-Identifier: Apache-2.0
"""RKNNLite's interface, for programs that were written for it.

``python -m ez_rknn_async.compat rknnlite PROGRAM`` runs one unchanged. In a program of your own::

    from ez_rknn_async.compat.rknnlite import install_as_rknnlite

    install_as_rknnlite()
    from rknnlite.api import RKNNLite
"""

from .install import install_as_rknnlite
from .lite import RKNNLite
from .runtime import RKNNRuntime
from .toolkit import RKNN

__all__ = ["RKNN", "RKNNLite", "RKNNRuntime", "install_as_rknnlite"]
