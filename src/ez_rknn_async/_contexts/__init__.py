"""The contexts of a session: the model that they load, their pool, lanes and custom operators."""
