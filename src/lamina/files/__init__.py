"""Images and containers as a file system for Python: `lamina.open`, paths, and fsspec's `lamina://`."""
