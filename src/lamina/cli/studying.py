"""How commands open an image to be understood: here, or at its registry without pulling it."""

from __future__ import annotations

from contextlib import contextmanager

from lamina.cli.flags import BOOL, Flag
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.study import Study
    from lamina.events import Listener
    from lamina.image.remote_image import Traffic
    from lamina.spec.manifest import Manifest

__all__ = ["PREFIX", "REMOTE", "is_remote", "looked_into", "notices", "opened", "tell_cost"]

PREFIX = "docker://"
"""What a name begins with that means an image at a registry, as `copy` has it."""

REMOTE = (
    Flag("platform", help="With --remote: the image for a platform, e.g. linux/arm64"),
    Flag("remote", kind=BOOL, help="Read the image at its registry, by its seek index, without pulling it"),
)  # fmt: skip


def is_remote(arguments: Arguments, name: str) -> bool:
    """Tell whether `name` is an image at a registry; docker://NAME says so by itself.

    Raises: Invalid (a platform of what is here).
    """
    remote = arguments.flag("remote") or name.startswith(PREFIX)
    if arguments.text("platform") and not remote:
        raise Invalid("--platform is for images at a registry", hint="ask with --remote")
    return remote


@contextmanager
def looked_into(context: Context, arguments: Arguments, name: str) -> Iterator[tuple[Study, int]]:
    """Open the image `name` for the body, with the code to end with: 1 where a layer is left out.

    Raises: as `cli.unreadable.study_of` of what is here, and as `opened`.
    """
    if is_remote(arguments, name):
        with opened(context, arguments, name) as study:
            yield study, 0
        return
    from lamina.cli.unreadable import study_of

    with study_of(context, name) as found:
        yield found


@contextmanager
def opened(context: Context, arguments: Arguments, name: str) -> Iterator[Study]:
    """Open the image `name` for the body. Of a remote one stderr hears in the end what it cost.

    Raises: as `engine.study.studied` and `engine.remote_study.remote_study`.
    """
    if not is_remote(arguments, name):
        from lamina.engine.study import studied

        with studied(context.engine, name) as study:
            yield study
        return
    from lamina.engine.remote_study import remote_study

    platform = arguments.text("platform")
    plain = name.removeprefix(PREFIX)
    tell = notices(context)
    with remote_study(context.engine, plain, platform=platform, listener=tell) as study:
        yield study
        tell_cost(context, plain, study.traffic, study.image.manifest)


def notices(context: Context) -> Listener:
    """Give what tells stderr of notices, such as of a registry that gives no ranges."""
    from lamina.events import Notice

    def tell(event: object) -> None:
        if isinstance(event, Notice):
            context.say(f"{event.id}: {event.text}" if event.id else event.text)

    return tell


def tell_cost(context: Context, name: str, traffic: Traffic, manifest: Manifest) -> None:
    """Tell stderr what reading an image at its registry has cost, of how much."""
    from lamina.cli.units import human_size

    whole = human_size(sum(layer.size for layer in manifest.layers), precision=3)
    context.say(f"{name}: received {human_size(traffic.received, precision=3)} of {whole}")
