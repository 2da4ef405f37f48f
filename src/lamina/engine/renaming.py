"""Giving a container another name."""

from lamina.engine import removal
from lamina.engine.journal import note_container
from lamina.engine.names import unknown
from lamina.errors import Invalid
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine

__all__ = ["rename"]


def rename(engine: "Engine", name: str, new: str) -> None:
    """Let the container `name` be called `new`, also among its networks. Raises: NameTaken, NameInvalid."""
    containers = engine.containers
    register = containers.register
    if not name or not new:
        raise Invalid("Neither old nor new names may be empty", hint="lamina rename OLD NEW")
    bare = new.removeprefix("/")
    if containers.record(name).name != bare and register.holder(bare):
        removal.sweep(engine)
    with register.renaming():
        record = containers.record(name)  # as other renamings and removals left it
        if bare == record.name:
            if register.holder(name) == record.id and name != record.name:
                # A renaming was cut short just before its end.
                register.free(name, record.id)
                return
            raise Invalid("Renaming a container with the same name as its current name")
        claimed = register.claim(new, record.id)
        try:
            containers.files.save(replace(record, name=claimed))
        except BaseException as error:
            register.free(claimed, record.id)
            if isinstance(error, FileNotFoundError):  # it ended just now, and was made with --rm
                raise unknown(name) from error
            raise
        register.free(record.name, record.id)
    note_container(engine, replace(record, name=claimed), "rename", oldName=record.name)
    engine.networks.rename_member(tuple(record.networks), record.id, claimed)
