"""`lamina cp`: files between a container or image and this machine, or as tars on `-`."""

from __future__ import annotations

import os

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.image_paths import ImagePath, Trees
from lamina.cli.studying import PREFIX
from lamina.errors import Invalid, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="cp",
    usage="lamina cp [OPTIONS] CONTAINER|IMAGE:SRC_PATH DEST_PATH|-\n"
    "       lamina cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    summary="Copy files/folders between a container or image and the local filesystem",
    description=(
        "Copy files/folders between a container and the local filesystem, or out of an image.\n"
        "Use '-' as the source to read a tar archive from stdin\n"
        "and extract it to a directory destination in a container.\n"
        "Use '-' as the destination to stream a tar archive of a\n"
        "container or image source to stdout.\n"
        "\n"
        "From an image nothing is run, mounted or unpacked; SRC_PATH begins with a slash.\n"
        "As docker://NAME it is read at its registry, without pulling it.\n"
        "A container's name wins over an image's."
    ),
    flags=(
        Flag("archive", "a", kind=BOOL, help="Archive mode (copy all uid/gid information)"),
        Flag("follow-link", "L", kind=BOOL, help="Always follow symbol link in SRC_PATH"),
        Flag("quiet", "q", kind=BOOL, help="Suppress progress output during copy"),
    ),
    arity=(2, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Copy out or in, whichever side names a container or an image."""
    source, target = arguments.positional
    source_name, source_path = _side(source)
    target_name, target_path = _side(target)
    if source_name and target_name:
        raise Invalid("copying between containers is not supported", hint="copy out, then in")
    if not source_name and not target_name:
        raise Invalid("must specify at least one container source", hint="write CONTAINER:PATH")
    if target_name:
        _refuse_image(context, target_name)
    if source_name and _is_image(context, source_name):
        _out_of_image(arguments, context, ImagePath(source), target_path)
        return 0
    context.enter_namespace()
    if source_name:
        _out(arguments, context, source_name, source_path, target_path)
    else:
        _in(arguments, context, source_path, target_name, target_path)
    return 0


def _side(text: str) -> tuple[str, str]:
    """Split `CONTAINER:PATH` or `IMAGE:/PATH`; a local path has a slash or dot before any colon.

    So has an image of a registry or an account: it is one where no file has that name.
    """
    if text.startswith(("/", ".")):
        return "", text
    if text.startswith(PREFIX):
        place = ImagePath(text)
        return place.name, place.path
    name, colon, path = text.partition(":")
    if "/" in name or (colon and not path.startswith("/") and ":/" in path):
        name, colon, path = text.partition(":/")
        path = "/" + path
        if "/" in name and os.path.lexists(text):
            return "", text
    return (name, path or "/") if colon and name else ("", text)


def _is_image(context: Context, name: str) -> bool:
    from lamina.engine.reading import is_container

    if name.startswith(PREFIX):
        return True
    if is_container(context.engine, name):
        return False
    try:
        context.engine.images.find(name)
    except (NotFound, Invalid):
        return "/" in name or ":" in name or "@" in name  # no container is called that
    return True


def _refuse_image(context: Context, name: str) -> None:
    if _is_image(context, name):
        raise Unsupported(
            f"{name} is an image, and images never change",
            hint=f"`lamina run` a container on {name}, copy into that and `lamina commit` it",
        )


def _out_of_image(arguments: Arguments, context: Context, place: ImagePath, target: str) -> None:
    """Copy out of an image by docker cp's rules; no container is made for it."""
    from lamina.engine.reading import extract, write_tar
    from lamina.layer.entry import Kind

    if arguments.flag("archive") and target != "-":
        context.enter_namespace()  # before anything is opened: the copies get their owners
    shown = os.path.basename(os.path.normpath(place.path))
    with Trees(context) as trees:
        tree, path, node = trees.find(place, follow=arguments.flag("follow-link"))
        if target == "-":
            write_tar(tree, path, context.binary_out.write, shown=os.fsencode(shown))
            context.binary_out.flush()
            return
        folder, rename = _destination(
            target,
            is_folder=node.kind is Kind.DIRECTORY,
            contents=not shown or place.path.endswith("/."),
        )
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            name = os.fsencode(shown if rename is None else rename)
            size = extract(tree, path, fd, shown=name, owners=arguments.flag("archive"))
        finally:
            os.close(fd)
    if not arguments.flag("quiet") and context.err.isatty():
        _tell(context, size, target)


def _out(arguments: Arguments, context: Context, name: str, path: str, target: str) -> None:
    containers = context.engine.containers
    if arguments.flag("follow-link"):
        path = _followed(context, name, path)
    if target == "-":
        containers.copy_out(name, path, context.binary_out.write)
        context.binary_out.flush()
        return
    found = containers.path_stat(name, path)
    folder, rename = _destination(
        target, is_folder=found.is_directory, contents=path.endswith("/.")
    )
    from tempfile import TemporaryFile

    from lamina.engine.unpack import unpack

    first = os.path.basename(os.path.normpath("/" + path.lstrip("/")))
    with TemporaryFile() as spool:
        containers.copy_out(name, path, spool.write)
        size = spool.tell()
        spool.seek(0)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            unpack(spool, fd, owners=arguments.flag("archive"), rename=(first, rename))
        finally:
            os.close(fd)
    if not arguments.flag("quiet") and context.err.isatty():
        _tell(context, size, target)


def _followed(context: Context, name: str, path: str) -> str:
    for _ in range(40):
        found = context.engine.containers.path_stat(name, path)
        if not found.target:
            return path
        path = os.path.normpath(os.path.join(os.path.dirname(path), found.target))
    raise Invalid(f"too many symbolic links: {path}")


def _destination(target: str, *, is_folder: bool, contents: bool) -> tuple[str, str | None]:
    """Tell the local folder to unpack into, and what the copy's first name becomes.

    None keeps the name; empty puts the folder's contents themselves there. Docker's rules.
    """
    if os.path.isdir(target):
        return target, "" if contents else None
    parent = os.path.dirname(os.path.abspath(target))
    if not os.path.isdir(parent):
        raise NotFound(f"invalid output path: directory {parent!r} does not exist")
    if target.endswith("/") and not is_folder:
        raise NotFound(f"no such directory: {target}")
    if is_folder and os.path.lexists(target):
        raise Invalid(f"cannot copy directory to file {target!r}")
    return parent, os.path.basename(os.path.normpath(target))


def _in(arguments: Arguments, context: Context, source: str, name: str, target: str) -> None:
    containers = context.engine.containers
    if source == "-":
        containers.copy_in(name, target, context.binary_in, keep_owner=True)
        return
    from tempfile import TemporaryFile

    from lamina.engine.archive import write_path

    if arguments.flag("follow-link"):
        source = os.path.realpath(source)
    if not os.path.lexists(source.rstrip("/") or "/"):
        raise NotFound(f"lstat {source}: no such file or directory")
    is_folder = os.path.isdir(source) and not os.path.islink(source.rstrip("/") or "/")
    if source.endswith("/") and not os.path.isdir(source):
        raise Invalid(f"not a directory: {source}")
    contents = source.endswith("/.") or source == "."
    folder, shown = _inside(context, name, target, is_folder=is_folder or contents)
    if shown is None:
        shown = "" if contents else os.path.basename(os.path.abspath(source))
    parent = os.open(os.path.dirname(os.path.abspath(source)) or "/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with TemporaryFile() as spool:
            write_path(parent, os.path.basename(os.path.abspath(source)), shown, spool.write)
            size = spool.tell()
            spool.seek(0)
            containers.copy_in(name, folder, spool, keep_owner=arguments.flag("archive"))
    finally:
        os.close(parent)
    if not arguments.flag("quiet") and context.err.isatty():
        _tell(context, size, f"{name}:{target}")


def _inside(context: Context, name: str, target: str, *, is_folder: bool) -> tuple[str, str | None]:
    """Tell the folder inside to unpack into, and the copy's first name (None: its own)."""
    from lamina.engine.archive import PathNotFound

    containers = context.engine.containers
    try:
        found = containers.path_stat(name, target if target.endswith("/") else f"{target}/")
    except (PathNotFound, Invalid):
        found = None
    if found is not None and found.is_directory:
        return target, None
    if target.endswith("/") and not is_folder:
        raise NotFound(f"no such directory: {name}:{target}")
    head, last = os.path.split(os.path.normpath("/" + target.lstrip("/")))
    try:
        existing = containers.path_stat(name, target.rstrip("/"))
    except PathNotFound:
        existing = None
    if existing is not None and is_folder and not existing.target:
        raise Invalid(f"cannot copy directory to file {name}:{target}")
    return head, last


def _tell(context: Context, size: int, target: str) -> None:
    from lamina.cli.units import human_size

    context.say(f"Successfully copied {human_size(size, precision=3)} to {target}")
