"""Networks of containers: namespaces, cables, names and ports, all owned by processes."""
