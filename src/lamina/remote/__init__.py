"""The distribution-spec, spoken as a client: registries, their tokens, their transfers."""
