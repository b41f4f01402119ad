"""The operators of a graph: register lists, weights and fused activations."""
