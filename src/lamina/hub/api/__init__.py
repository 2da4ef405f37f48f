"""The hub's own JSON interface, `/api/v1/`, and the health of the process."""
