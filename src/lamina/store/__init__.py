"""This machine's blobs and names: an OCI image layout, with locks and leases."""
