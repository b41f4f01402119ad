# SPDX-License-Identifier: Apache-2.0
"""Transport of arrays into NPU memory and back: the model's signature, requests, direct I/O and I/O by copy."""
