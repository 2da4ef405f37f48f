"""The program of a shim: `python -IS supervise.py CONTAINER`. It finds its package by itself."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

__all__: list[str] = []

if __name__ == "__main__":
    from lamina.runtime.shim import main

    main()
