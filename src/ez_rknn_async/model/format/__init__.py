"""The `.rknn` file: container, FlatBuffer, BSON, the graph of tensors and nodes."""
