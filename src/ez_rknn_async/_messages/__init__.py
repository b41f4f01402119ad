# SPDX-License-Identifier: Apache-2.0
"""The wording of messages: values, options, names and shapes, and advice."""
