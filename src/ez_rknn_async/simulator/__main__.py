# SPDX-License-Identifier: Apache-2.0
"""``python -m ez_rknn_async.simulator --control-fd 3``: the device process, with Python's own search path."""

from .start import main

if __name__ == "__main__":
    main()
