"""Changesets: tar ⇄ sealed layer ⇄ directories, and the union view of many of them."""
