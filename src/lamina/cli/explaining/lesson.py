"""`lamina explain` alone: what can be told, as a lesson."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page

__all__ = ["lesson"]


def lesson(page: Page, context: Context) -> None:
    """Say what can be explained, in the order in which it is best learned."""
    unicode = page.unicode
    dash = "—" if unicode else "-"
    page.fact(
        "lamina explain does a command for real and tells what happens, from the real documents and bytes. "
        "One after the other, these make a lesson:"
    )
    page.plain()
    for words, why in (
        ("lamina explain pull debian:12", "a name becomes documents, blobs and layers"),
        ("lamina explain debian:12", "how they hang together: digests, diff IDs, chain IDs"),
        ("lamina explain run --name lesson debian:12 sh -c 'date > /d; rm /etc/motd'",
         "layers become one file system, and a process is put into it"),
        ("lamina explain commit lesson my-debian:1", "what it wrote becomes a layer"),
        ("lamina tag my-debian:1 localhost:5000/ME/my-debian:1", "a name that says where to"),
        ("lamina explain push localhost:5000/ME/my-debian:1", "only what is lacking there is sent"),
    ):  # fmt: skip
        page.plain(f"   $ {words}")
        page.plain(f"       {why}")
    page.plain()
    page.fact(
        "Every option of the command goes after it: `lamina explain run -it --rm debian:12 bash`. Explain's "
        "own come before: --brief for the facts alone, --pause for one step at a time, --width."
    )
    names = sorted(
        name for row in context.engine.store.names.all() if (name := row.name) and "@" not in name
    )
    if names:
        from lamina.spec.reference import Reference

        shown = [Reference.parse(name).familiar for name in names[:3]]
        page.plain()
        page.fact(
            f"Here already, so the second step works now: {', '.join(shown)} {dash} lamina explain {shown[0]}"
        )
