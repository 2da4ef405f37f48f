"""One module per command: `COMMAND` says what it takes, `main` does it."""
