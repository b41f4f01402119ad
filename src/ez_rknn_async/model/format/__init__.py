# SPDX-License-Identifier: Apache-2.0
"""The `.rknn` file: container, FlatBuffer, BSON, the graph of tensors and nodes."""
