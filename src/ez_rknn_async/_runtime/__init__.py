"""The runtime library: finding and loading it, its declarations, contexts, memory, the engine, time limits."""
