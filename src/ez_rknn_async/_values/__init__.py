# SPDX-License-Identifier: Apache-2.0
"""Values that programs hold and bind: OrtValue, IO binding, and marks of what is in use."""
