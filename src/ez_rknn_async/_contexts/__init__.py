"""The contexts of a session: the model they are made of, their pool, lanes and custom operators."""
