"""The use cases: what both the command line and Python programs call."""
