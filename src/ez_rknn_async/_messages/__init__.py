"""How messages show values, options, names and shapes, and what they advise."""
