"""The hub's pages: rendered here, readable without script, under a strict content policy."""
