"""A bundle becomes processes."""
