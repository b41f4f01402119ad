# SPDX-License-Identifier: Apache-2.0
"""The operators of a graph: register lists, weights and fused activations."""
