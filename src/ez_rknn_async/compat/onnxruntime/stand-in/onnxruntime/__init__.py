# SPDX-License-Identifier: Apache-2.0
"""Becomes the stand-in of ez_rknn_async when a process that multiprocessing has started imports ``onnxruntime``."""

import sys

from ez_rknn_async.compat.install_onnxruntime import install_again

# Otherwise the real one, which install_again() looks for, would be this module.
del sys.modules[__name__]
install_again()
