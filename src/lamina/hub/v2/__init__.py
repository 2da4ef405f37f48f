"""The distribution API, `/v2/`. Spec: OCI distribution-spec 1.1."""
