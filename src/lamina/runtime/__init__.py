"""Processes: a bundle becomes running processes, watched by one small shim per container."""
