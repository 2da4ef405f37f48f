"""Our registry: the distribution API, accounts and pages."""
