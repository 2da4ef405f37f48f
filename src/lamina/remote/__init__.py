"""The distribution-spec, spoken as a client."""
