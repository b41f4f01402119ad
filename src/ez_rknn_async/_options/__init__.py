# SPDX-License-Identifier: Apache-2.0
"""Provider, session and run options; SoCs; and the plan that they make."""
