"""What registries warn of beside an answer: `Warning: 299 - "…"`. Spec: distribution-spec, "Warnings"."""

__all__ = ["warnings_of"]

_LONGEST, _MOST = 300, 10


def warnings_of(header: str) -> tuple[str, ...]:
    """Give the texts of a Warning header of code 299, several joined by commas; others are HTTP's own affair."""
    import re  # for registries that warn

    found = re.findall(r'(?:^|,)\s*299 \S+ "((?:[^"\\]|\\.)*)"', header)
    texts = (re.sub(r"\\(.)", r"\1", each)[:_LONGEST] for each in found)
    return tuple(text for text in dict.fromkeys(texts) if text.strip())[:_MOST]
