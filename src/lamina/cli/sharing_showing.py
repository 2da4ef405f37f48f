"""`lamina layers --shared`: the picture in the terminal, as SVG, as a page, or its numbers."""

from __future__ import annotations

from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.sharing import Sharing

__all__ = ["show_sharing"]

_WIDEST = 120


def show_sharing(arguments: Arguments, context: Context) -> int:
    """Draw what images share; to files where these are asked for.

    Raises: Invalid (flags that contradict each other), ImageUnknown, Unavailable (a file).
    """
    svg, html = arguments.text("svg"), arguments.text("html")
    for name in ("quiet", "no-trunc"):
        if arguments.flag(name):
            raise Invalid(f"--{name} and --shared cannot be used together")
    if arguments.text("format"):
        raise Invalid("--format and --shared cannot be used together", hint="--json has it all")
    if "-" in (svg, html) and (svg == html or arguments.flag("json")):
        raise Invalid("only one thing can be written to stdout")
    sharing = context.engine.system.sharing(arguments.positional)
    if svg:
        from lamina.cli.sharing_svg import svg as drawn

        _write(context, svg, drawn(sharing))
    if html:
        from lamina.cli.sharing_page import page

        _write(context, html, page(sharing))
    if arguments.flag("json"):
        from lamina.cli.formats import show_json

        show_json(context, _document(sharing))
    elif not svg and not html:
        from lamina.cli.sharing_drawing import draw_sharing

        context.out.write(
            draw_sharing(
                sharing,
                width=min(context.size()[0], _WIDEST),
                unicode=context.unicode,
                colour=context.colour,
            )
        )
    return 0


def _write(context: Context, path: str, text: str) -> None:
    from lamina.cli.files import output_file

    with output_file(context, path, what="write a picture") as out:
        out.write(text.encode())


def _document(sharing: Sharing) -> dict[str, object]:
    ids = [image.id for image in sharing.images]
    return {
        "alone": sharing.alone,
        "size": sharing.size,
        "held": sharing.held,
        "images": [
            {
                "id": image.id,
                "names": list(image.names),
                "dangling": not image.names,
                "created": image.created,
                "layers": image.layers,
                "size": image.size,
                "frees": image.frees,
                "containers": image.containers,
            }
            for image in sharing.images
        ],
        "parts": [
            {
                "images": [ids[place] for place in part.images],
                "diff_ids": list(part.diff_ids),
                "size": part.size,
                "held": part.held,
                "kept_for_undo": part.kept,
                "frees_together": part.together,
            }
            for part in sharing.parts
        ],
        "containers": [
            {
                "id": one.id,
                "name": one.name,
                "image": one.image,
                "size": one.size,
                "running": one.running,
            }
            for one in sharing.containers
        ],
    }
