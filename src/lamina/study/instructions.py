"""The commands of an image's history, as people wrote them."""

__all__ = ["instruction"]

_SHELL = "/bin/sh -c "
_NO_OPERATION = "#(nop) "


def instruction(created_by: str) -> str:
    """Write a history row's command as the Dockerfile line it came from, in one printable line.

    >>> instruction("RUN /bin/sh -c make install # buildkit")
    'RUN make install'
    """
    text = " ".join(_flat(created_by).split()).removesuffix(" # buildkit")
    text = text.removeprefix("|0 ")
    if text.startswith("RUN " + _SHELL):
        return "RUN " + text[len("RUN " + _SHELL) :]
    if text.startswith(_SHELL):
        text = text[len(_SHELL) :]
        return text[len(_NO_OPERATION) :].strip() if text.startswith("#(nop)") else f"RUN {text}"
    return text


def _flat(text: str) -> str:
    """Keep a text in its line: escapes in it would move the cursor of a terminal."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter in "\t\n\r" else "?" for letter in text
    )
