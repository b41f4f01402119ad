"""The wording of messages: values, options, names and shapes, and advice."""
