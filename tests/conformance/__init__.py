# SPDX-License-Identifier: Apache-2.0
"""The same questions for the simulated NPU's library and the vendor's: see table.py and differences.py."""
