"""The kinds of places that images are kept in, each as a source and a sink."""
