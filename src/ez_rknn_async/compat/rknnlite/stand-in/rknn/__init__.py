# SPDX-License-Identifier: Apache-2.0
"""EZ RKNN Async under the import name of Rockchip's compiler, which it is not: it runs compiled models."""
