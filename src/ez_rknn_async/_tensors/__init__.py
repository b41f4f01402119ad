# SPDX-License-Identifier: Apache-2.0
"""Arrays, element types, shapes, layouts, quantisation and names: pure, without a device."""
