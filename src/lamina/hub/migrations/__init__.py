"""Numbered steps of the database's schema; each `.sql` runs once."""
