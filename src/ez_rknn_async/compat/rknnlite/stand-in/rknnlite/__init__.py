# SPDX-License-Identifier: Apache-2.0
"""EZ RKNN Async under the import name of Rockchip's RKNNLite; not Rockchip's package."""
