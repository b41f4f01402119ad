# SPDX-License-Identifier: Apache-2.0
"""The contexts of a session: the model that they load, their pool, lanes and custom operators."""
