# SPDX-License-Identifier: Apache-2.0
"""Statistics, health, profiles and tables of layers."""
