# SPDX-License-Identifier: Apache-2.0
"""Systems in virtual time: the simulation, plans, the search."""
