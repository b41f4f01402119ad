# SPDX-License-Identifier: Apache-2.0
"""Tests of the vendor's real library; see conftest.py."""
