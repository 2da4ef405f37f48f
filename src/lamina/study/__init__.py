"""Answers about a stack of layers, from their indexes alone: nothing is mounted, unpacked or run."""
