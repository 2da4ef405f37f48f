"""The story of a commit: what a container wrote becomes one more layer."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from lamina.cli.file_names import quoted
from lamina.cli.units import human_size
from lamina.events import Noted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page
    from lamina.cli.flags import Arguments
    from lamina.engine.local import LocalImage
    from lamina.engine.records import ContainerRecord
    from lamina.events import Deed, Event
    from lamina.layer.stack import Changed

__all__ = ["CommitStory"]

_ROWS = 16


class CommitStory:
    """Told from the container's upper directory, and from the layer and the documents that were made."""

    def __init__(self, page: Page, context: Context, arguments: Arguments) -> None:
        self._page = page
        self._context = context
        self._arguments = arguments
        self._record: ContainerRecord | None = None
        self._made = ""

    def begin(self) -> None:
        """Tell what lies in the container layer."""
        from lamina.errors import LaminaError

        context, page = self._context, self._page
        context.enter_namespace()
        try:
            record = context.engine.containers.record(self._arguments.positional[0])
        except LaminaError:
            return  # the command itself will say so
        self._record = record
        page.step("The container layer")
        state = context.engine.containers.state(record.id)
        running = state.is_running and self._arguments.flag("pause")
        page.say(
            f"What {record.name} runs on are the layers of its image, which it cannot change. What it wrote "
            "lies in its container layer, as overlayfs puts it there"
            + (". It runs, so it is paused while that is read." if running else ":")
        )
        with context.engine.snapshotter.changed(record.id) as changed:
            page.rows([("upper", path) for path in changed.paths])
            self._tell_upper(changed, context.engine.containers.excluded_paths(record))

    def hear(self, deed: Event | Deed) -> None:
        """Remember which image was made."""
        if isinstance(deed, Noted) and (deed.kind, deed.action) == ("container", "commit"):
            self._made = deed.attributes["imageID"]

    def end(self, code: int) -> None:
        """Tell what was made, read back from the store."""
        if code or not self._made:
            return
        image = self._context.engine.images.resolve(self._made)
        self._tell_layer(image)
        self._tell_config(image)
        self._tell_manifest(image)
        self._tell_name(image)
        self._tell_checks(image)

    def fail(self) -> None:
        """Nothing was made."""

    # before

    def _tell_upper(self, changed: Changed, left_out: frozenset[bytes]) -> None:
        rows: list[tuple[str, str]] = []
        more = 0
        for path in changed.paths:
            for name, words in _entries(path, changed.marks, left_out):
                if len(rows) < _ROWS:
                    rows.append((quoted(b"/" + name, unicode=self._page.unicode), words))
                else:
                    more += 1
        if not rows:
            self._page.fact("It is empty: nothing was changed.")
            return
        self._page.rows(rows)
        if more:
            self._page.say(f"and {more} more.")

    # after

    def _new_layer(self, image: LocalImage) -> bool:
        before = (
            0 if self._arguments.flag("squash") or not self._record else len(self._record.diff_ids)
        )
        return len(image.config.diff_ids) > before

    def _tell_layer(self, image: LocalImage) -> None:
        from lamina.layer.tar import TarParser

        page, engine = self._page, self._context.engine
        page.step("The layer")
        if not self._new_layer(image):
            page.fact("Nothing had changed, so no layer is added: only the config is another.")
            return
        layer, pile = image.manifest.layers[-1], image.config.diff_ids
        page.say(
            "The container layer is written as a tar, a changeset. What was removed is a whiteout in it: an "
            "empty file whose name begins with .wh. and says what goes."
        )
        rows: list[tuple[str, str]] = []
        parser, count = TarParser(), 0
        with engine.layers.open(pile) as sealed:
            tar_size = sealed.tar_size
            for piece in sealed.tar():
                for entry in parser.feed(piece):
                    count += 1
                    if len(rows) < _ROWS:
                        size = f", {human_size(entry.size)}" if entry.size else ""
                        shown = quoted(entry.path or b".", unicode=page.unicode)
                        rows.append(
                            (shown, f"{entry.kind} {entry.mode:04o}{size}{_gone(entry.path)}")
                        )
        page.rows(rows)
        if count > len(rows):
            page.say(f"and {count - len(rows)} more.")
        page.say(
            "The tar is hashed as it is, which gives the diff ID, and packed on the way, which gives the blob "
            "and its layer digest. Packed otherwise it would be another blob with the same diff ID."
        )
        page.value(f"Diff ID of the tar, {human_size(tar_size)}", pile[-1])
        page.value(f"Layer digest of the blob, {human_size(layer.size)}", layer.digest)

    def _tell_config(self, image: LocalImage) -> None:
        page, config = self._page, image.config
        page.step("The config")
        document = config.document
        page.say(
            "A new config is written: that of the image below, with one step of history more, one diff ID "
            "more where there is a new layer, and the settings of the container."
        )
        page.document({
            "config": document.get("config"),
            "rootfs": document.get("rootfs"),
            "history": ["(as before)", config.history[-1].to_json()] if config.history else [],
        })  # fmt: skip
        page.value("Image ID before", self._record.image_id if self._record else "?")
        page.value("Image ID now", image.id)
        page.say(
            "Nothing of the old image changed. It has its documents, and the new one has others."
        )

    def _tell_manifest(self, image: LocalImage) -> None:
        from lamina.spec.wire import decode

        page, manifest = self._page, image.manifest
        page.step("The manifest")
        shared = self._new_layer(image) and len(manifest.layers) > 1
        page.say(
            "A new manifest lists the new config and all layers. "
            + ("All but the last are the old image's: the same blobs, kept once." if shared else "")
        )
        page.document(decode(manifest.raw))
        page.value("Digest of the manifest", manifest.digest)

    def _tell_name(self, image: LocalImage) -> None:
        page = self._page
        page.step("The name")
        if not image.names:
            page.say(
                "No name was asked for: the image is known by its ID, until `lamina tag` names it."
            )
            page.value("Image ID", image.id)
            return
        page.say("Last of all the name is written into the store's index.json.")
        for name in image.names:
            page.value(f"{name} stands for", image.manifest.digest)

    def _tell_checks(self, image: LocalImage) -> None:
        from lamina.cli.explaining.checks import of_image, unpacked

        page, engine = self._page, self._context.engine
        if page.brief:
            return
        page.step("Check it yourself")
        for check in of_image(engine, image.manifest, image.config)[:2]:
            page.command(*check)
        if self._new_layer(image):
            for check in unpacked(engine, image.manifest.layers[-1], image.config.diff_ids[-1].hex):
                page.command(*check)
        page.command(f"lamina explain {image.id.short}")


def _entries(root: str, marks: str, left_out: frozenset[bytes]) -> Iterator[tuple[bytes, str]]:
    """Give what lies in an upper directory and what it means; links are not followed."""
    waiting = [b""]
    top = os.fsencode(root)
    while waiting:
        folder = waiting.pop()
        with suppress(OSError), os.scandir(top + b"/" + folder if folder else top) as found:
            rows = sorted(found, key=lambda row: row.name)
            for row in rows:
                name = folder + b"/" + row.name if folder else row.name
                status = row.stat(follow_symlinks=False)
                if name in left_out:
                    yield name, "made by the runtime to mount on: left out"
                    continue
                yield name, _meaning(row.path, status, marks)
            waiting += [
                folder + b"/" + row.name if folder else row.name
                for row in reversed(rows)
                if row.is_dir(follow_symlinks=False)
            ]


def _meaning(path: bytes, status: os.stat_result, marks: str) -> str:
    mode = status.st_mode
    if stat.S_ISCHR(mode) and status.st_rdev == 0:
        return "a whiteout: a character device 0/0, and the path below it is gone"
    words = f"{_kind(mode)} {stat.S_IMODE(mode):04o}"
    if stat.S_ISREG(mode):
        words += f", {human_size(status.st_size)}"
    for mark, meaning in (
        ("opaque", "opaque: nothing below shows through"),
        ("metacopy", "owner, mode or time alone: the content is still in the layer"),
        ("redirect", "moved from elsewhere, without a copy"),
    ):
        with suppress(OSError):
            found = os.getxattr(path, f"{marks}.overlay.{mark}", follow_symlinks=False)
            if marks and (mark != "opaque" or found == b"y"):
                words += f"; {meaning}"
    return words


def _kind(mode: int) -> str:
    for test, word in (
        (stat.S_ISDIR, "directory"), (stat.S_ISREG, "file"), (stat.S_ISLNK, "symlink"),
        (stat.S_ISFIFO, "fifo"), (stat.S_ISSOCK, "socket"), (stat.S_ISCHR, "character device"),
    ):  # fmt: skip
        if test(mode):
            return word
    return "block device"


def _gone(path: bytes) -> str:
    from lamina.layer.whiteout import OPAQUE_NAME, PREFIX

    folder, _, name = path.rpartition(b"/")
    if name == OPAQUE_NAME:
        return f", hides all below in /{os.fsdecode(folder)}"
    if name.startswith(PREFIX):
        gone = folder + b"/" + name[len(PREFIX) :] if folder else name[len(PREFIX) :]
        return f", removes /{os.fsdecode(gone)}"
    return ""
