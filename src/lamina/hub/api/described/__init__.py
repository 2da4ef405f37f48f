"""What the hub's interfaces take and answer, beside the routes, as OpenAPI 3.1 says it."""
