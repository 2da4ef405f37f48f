"""`lamina import`: an image of one layer from a tar of a root file system."""

from __future__ import annotations

from contextlib import contextmanager

from lamina.cli.flags import LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="import",
    usage="lamina import [OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    summary="Import the contents from a tarball to create a filesystem image",
    flags=(
        Flag(
            "change",
            "c",
            kind=LIST,
            help="Apply Dockerfile instruction to the created image",
        ),
        Flag("message", "m", help="Set commit message for imported image"),
        Flag("platform", help="Set the platform of the image"),
    ),
    arity=(1, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Import and print the new image's ID."""
    from lamina.engine.archives import ImportRequest

    context.enter_namespace()
    source, *names = arguments.positional
    request = ImportRequest(
        name=names[0] if names else "",
        message=arguments.text("message"),
        changes=arguments.texts("change"),
        platform=arguments.text("platform"),
        # Docker tells a web address and keeps a path of this machine to itself; so do we.
        source=source if source.startswith(("http://", "https://")) else "-",
    )
    with _opened(context, source) as stream:
        context.print(str(context.engine.images.import_(stream, request)))
    return 0


@contextmanager
def _opened(context: Context, source: str) -> Iterator[BinaryIO]:
    if not source.startswith(("http://", "https://")):
        from lamina.cli.files import input_file

        with input_file(context, source, command="import") as stream:
            yield stream
        return
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    from lamina.errors import Unavailable

    try:
        with urlopen(source, timeout=60) as response:  # noqa: S310 - http and https alone come here
            yield response
    except HTTPError as error:
        raise Unavailable(f"{source}: {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise Unavailable(f"cannot fetch {source}: {error}") from error
