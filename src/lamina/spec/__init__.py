"""OCI documents and names as frozen values. No input, no output; each document keeps its bytes."""
