"""Against the vendor's real library; see conftest.py."""
