"""Directory states by chain ID: what a container stands on, and its writable layer."""
