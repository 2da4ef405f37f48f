"""`python -m lamina` is the `lamina` command."""

from lamina.cli.main import run

if __name__ == "__main__":
    run()
