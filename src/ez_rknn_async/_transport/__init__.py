"""How arrays get into NPU memory and back: the signature of the model, requests, direct I/O and I/O by copy."""
