"""The terminal explorer of an image: a model that knows no terminal, and a face of textual for it."""
