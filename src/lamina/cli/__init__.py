"""Words in, words out: the `lamina` command."""
