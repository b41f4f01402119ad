"""Provider, session and run options; SoCs; and the plan that they make."""
