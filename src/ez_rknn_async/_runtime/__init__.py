# SPDX-License-Identifier: Apache-2.0
"""The runtime library: finding and loading it, its declarations, contexts, memory, the engine, time limits."""
