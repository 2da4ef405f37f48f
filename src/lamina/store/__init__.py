"""Blobs, names, leases and garbage on this machine: an OCI image layout."""
