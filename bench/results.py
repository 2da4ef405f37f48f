"""bench/RESULTS.md: one section for each bench, and each writes only its own."""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["has_section", "machine", "write_parts", "write_section"]

_FILE = Path(__file__).resolve().parent / "RESULTS.md"


def has_section(title: str) -> bool:
    """Tell whether there are results under that heading."""
    return f"\n## {title}\n" in _FILE.read_text(encoding="utf-8")


def write_section(title: str, lines: Sequence[str]) -> Path:
    """Put `lines` under the heading `title`, in place of what was there; give the file."""
    text = _FILE.read_text(encoding="utf-8") if _FILE.exists() else ""
    head, *parts = f"\n{text}".split("\n## ")
    head = head.strip() or "# Results"
    sections = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}
    sections[title] = "\n".join(lines).strip()
    whole = [head, *(f"## {name}\n\n{body}" for name, body in sections.items())]
    _FILE.write_text("\n\n".join(whole) + "\n", encoding="utf-8")
    return _FILE


def write_parts(title: str, lines: Sequence[str]) -> Path:
    """Put the parts of `lines`, each under its `###`, in place of those of the same name in a section."""
    text = _FILE.read_text(encoding="utf-8") if _FILE.exists() else ""
    section = f"\n{text}\n## ".partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    head, *old = f"\n{section}".split("\n### ")
    new = "\n".join(["", *lines]).split("\n### ")[1:]
    parts = {part.partition("\n")[0]: part for part in old}
    parts |= {part.partition("\n")[0]: part for part in new}
    whole = "\n\n### ".join([head.strip(), *(part.strip() for part in parts.values())])
    return write_section(title, whole.splitlines())


def machine(command: str) -> str:
    """Say when and on what a bench ran."""
    day = time.strftime("%d %B %Y, %H:%M", time.gmtime())
    return (
        f"Measured by `{command}` on {day} UTC: Linux {platform.release().partition('-')[0]}, "
        f"{os.cpu_count()} CPUs, Python {platform.python_version()}"
    )
