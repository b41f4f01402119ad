# SPDX-License-Identifier: Apache-2.0
"""The program around the library: its threads or greenlets, its process and paths, its callbacks."""
