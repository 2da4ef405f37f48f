"""The flags that say how layers are packed, as `commit` and `push` have them: podman's names."""

from __future__ import annotations

from lamina.cli.flags import FlagInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.flags import Arguments
    from lamina.stream.codec import Compression

__all__ = ["read_compression"]


def read_compression(arguments: Arguments) -> Compression | None:
    """Read how layers are to be packed; None when no flag says so.

    `--compression` is another spelling of `--compression-format`, and `--level`, where a command
    has it, of `--compression-level`. Raises: FlagInvalid.
    """
    flag = "compression" if arguments.changed("compression") else "compression-format"
    level_flag = "level" if arguments.changed("level") else "compression-level"
    by_level = arguments.changed(level_flag)
    if not by_level and not arguments.changed(flag):
        return None
    from lamina.stream.codec import Compression, CompressionInvalid

    level = arguments.number(level_flag) if by_level else None
    name, shown = flag, arguments.text(flag) if arguments.changed(flag) else "gzip"
    try:
        found = Compression.parse(shown)
        if level is not None:
            codec, name, shown = shown, level_flag, str(level)
            found = Compression.parse(codec, level)
    except CompressionInvalid as error:
        raise FlagInvalid(
            f'invalid argument "{shown}" for "--{name}" flag: {error.message}', hint=error.hint
        ) from error
    return found
