"""Where the hub's bytes lie: one small protocol, and local disk behind it."""
