"""The simulated NPU's library and the vendor's, asked the same: see table.py and differences.py."""
