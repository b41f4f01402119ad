# SPDX-License-Identifier: Apache-2.0
"""The names that existing programs import: each module here stands for another package, on top of this one."""
