"""`lamina manifest annotate`: say for which platform an image of a list is."""

from __future__ import annotations

from lamina.cli.flags import LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="manifest annotate",
    usage="lamina manifest annotate [OPTIONS] MANIFEST_LIST MANIFEST",
    summary="Add additional information to a local image manifest",
    flags=(
        Flag("arch", help="Set architecture"),
        Flag("os", help="Set operating system"),
        Flag("os-features", kind=LIST, help="Set operating system feature"),
        Flag("os-version", help="Set operating system version"),
        Flag("variant", help="Set architecture variant"),
    ),
    arity=(2, 2),
)

_KEYS = (
    ("arch", "architecture"),
    ("os", "os"),
    ("os-version", "os.version"),
    ("variant", "variant"),
)


def main(arguments: Arguments, context: Context) -> int:
    """Change the platform that the list gives the image."""
    from lamina.engine.lists import Lists

    name, image = arguments.positional
    changes: dict[str, object] = {
        key: arguments.text(flag) for flag, key in _KEYS if arguments.changed(flag)
    }
    if features := arguments.texts("os-features"):
        changes["os.features"] = list(features)
    Lists(context.engine).annotate(name, image, changes)
    return 0
