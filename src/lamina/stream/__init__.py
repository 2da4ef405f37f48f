"""Bytes that must match a descriptor, and the codecs they come in."""
