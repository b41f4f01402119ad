"""Tests of the vendor's real library; see conftest.py."""
