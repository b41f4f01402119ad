"""The operators of a graph: register lists, weights, and the activations that are fused into them."""
