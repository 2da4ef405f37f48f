"""What is behind the two verbs: SQLite in a file, PostgreSQL for many replicas, and one schema for both."""
