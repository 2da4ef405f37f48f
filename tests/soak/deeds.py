"""The commands that are killed in the soak, each with what makes it possible to run it again."""

import shutil
from pathlib import Path

from tests.soak.places import Config, plain_folder, saved_file, whole_layout
from tests.soak.worlds import Deed, World

__all__ = ["deeds"]


def deeds(world: World) -> dict[str, Deed]:
    """Give every deed by its name."""
    lamina, at, without, has = world.lamina, world.at, world.without, world.has_container

    def has_image(name: str) -> bool:
        return any(known.startswith(name) for known in world.names())

    def with_two() -> None:
        if not has_image(at("two:1")):
            lamina("pull", "-q", at("two:1"))

    def undoable() -> None:
        with_two()
        lamina("rmi", at("two:1"))

    def with_dangling() -> None:
        with_two()
        lamina("commit", "keeper", "made")
        lamina("tag", at("two:1"), "made")

    def to_prune() -> None:
        with_dangling()
        with_container("work")

    def to_rename() -> None:
        without_container("worked")
        with_container("work")

    def without_container(name: str) -> None:
        if has(name):
            lamina("rm", "-f", name)

    def with_container(name: str) -> None:
        if not has(name):
            lamina("create", "--name", name, "kept", "true")

    def to_freeze() -> None:
        with_container("work")
        lamina("cp", note, "work:/note")

    def to_freeze_anew() -> None:
        without_container("work")
        to_freeze()

    def to_roll_back() -> None:
        to_freeze_anew()
        lamina("snapshot", "work", "good")
        lamina("cp", note, "work:/more")

    def has_snapshot() -> bool:
        return "good" in lamina("snapshot", "-lq", "work").split()

    def has_note(_: bool) -> None:
        assert lamina("cp", "work:/note", "-")  # in each state there is

    note = str(world.folder / "note")
    saved, bundle, written = (
        str(world.folder / name) for name in ("saved.tar", "bundle.tar", "written.tar")
    )
    layout, plain = world.folder / "layout", world.folder / "plain"
    config = Config(Path(world.lamina.settings.docker_config, "config.json"), world.registry)
    rows = [
        Deed(
            "pull", ("pull", at("two:1")), ("two",), lambda: without(at("two:1")), in_namespace=True
        ),
        Deed(
            "pull-after-rmi-of-all", ("pull", at("two:2")), ("two",),
            lambda: without(at("two:2"), at("two:1")), in_namespace=True,
        ),
        Deed(
            "push", ("push", at("pushed/it")), ("pushed",),
            lambda: lamina("tag", "kept", at("pushed/it")),
        ),
        Deed(
            "commit", ("commit", "keeper", "made"), ("made", "sha256:"), lambda: without("made"),
            in_namespace=True,
        ),
        Deed("load", ("load", "-i", saved), ("loaded",), lambda: without("loaded")),
        Deed("load-bundle", ("load", "-i", bundle), ("loaded",), lambda: without("loaded")),
        Deed(
            "save", ("save", "-o", written, "kept"),
            before=lambda: Path(written).write_bytes(b"before"),
            whole=lambda ended: saved_file(Path(written), world.folder / "kept.tar", ended),
        ),
        Deed(
            "copy-to-layout", ("copy", "kept", f"oci:{layout}:it"),
            before=lambda: shutil.rmtree(layout, ignore_errors=True),
            whole=lambda ended: whole_layout(layout, "it", ended),
        ),
        Deed(
            "copy-to-folder", ("copy", "kept", f"dir:{plain}"),
            before=lambda: shutil.rmtree(plain, ignore_errors=True),
            whole=lambda ended: plain_folder(plain, ended),
        ),
        Deed(
            "login", ("login", "-u", "me", "-p", "secret", world.registry),
            before=config.without, whole=config.check_login,
        ),
        Deed(
            "logout", ("logout", world.registry), before=config.with_login, whole=config.check_logout,
        ),
        Deed("rmi", ("rmi", at("two:1")), ("two",), with_two, lambda: not has_image(at("two:1"))),
        Deed(
            "rmi-now", ("rmi", "--now", at("two:1")), ("two",), with_two,
            lambda: not has_image(at("two:1")),
        ),
        Deed("image-prune", ("image", "prune", "-f"), ("sha256:",), with_dangling),
        Deed("image-prune-now", ("image", "prune", "-f", "--now"), ("sha256:",), with_dangling),
        Deed(
            "undo", ("undo",), ("two",), undoable, lambda: has_image(at("two:1")),
        ),
        Deed(
            "system-prune", ("system", "prune", "-f"), ("sha256:",),
            to_prune, in_namespace=True,
        ),
        Deed("tag", ("tag", "kept", "other"), ("other",), lambda: without("other")),
        Deed(
            "create", ("create", "--name", "work", "kept", "true"), (),
            lambda: without_container("work"), lambda: has("work"), in_namespace=True,
        ),
        Deed(
            "rm", ("rm", "work"), (), lambda: with_container("work"),
            lambda: not has("work"), in_namespace=True,
        ),
        Deed("run", ("run", "--rm", "kept", "true"), in_namespace=True),
        Deed(
            "rename", ("rename", "work", "worked"), (),
            to_rename, lambda: not has("work"),
        ),
        Deed(
            "snapshot", ("snapshot", "work", "good"), (), to_freeze_anew, has_snapshot,
            in_namespace=True, whole=has_note,
        ),
        Deed(
            "rollback", ("rollback", "work", "good"), (), to_roll_back,
            in_namespace=True, whole=has_note,
        ),
        Deed("fork", ("fork", "work", "2"), (), to_freeze, in_namespace=True, whole=has_note),
    ]  # fmt: skip
    return {deed.name: deed for deed in rows}
