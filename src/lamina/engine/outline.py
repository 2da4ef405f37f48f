"""What listings show of a container, and its filters ask about: a small part of its record."""

from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lamina.engine.records import ContainerRecord
    from lamina.spec.wire import Document

__all__ = ["Outline"]

_SHOWN = ("Type", "Name", "Source", "Destination")


@dataclass(frozen=True, slots=True)
class Outline:
    """A container as it was made, in short. `created` is RFC 3339; names and words are Docker's.

    `mounts` have `Type`, `Name`, `Source` and `Destination`; `networks` are IDs; `exposed` and
    `published` are ports like `80/tcp`, those that the container asks for. `auto_remove`: `--rm`.
    """

    id: str
    name: str
    created: str
    image_id: str
    image_name: str
    command: str
    words: tuple[str, ...]
    labels: "dict[str, str]"
    mounts: "tuple[Document, ...]"
    network_mode: str
    networks: tuple[str, ...]
    exposed: tuple[str, ...]
    published: tuple[str, ...]
    auto_remove: bool = False

    @classmethod
    def of(cls, record: "ContainerRecord") -> "Outline":
        """Take from a record what listings show."""
        return cls(
            id=record.id,
            name=record.name,
            created=record.created,
            image_id=str(record.image_id),
            image_name=record.image_name,
            command=record.command,
            words=(record.path, *record.args),
            labels=record.config.get("Labels") or {},
            mounts=tuple({key: m[key] for key in _SHOWN if key in m} for m in record.mounts),
            network_mode=str(record.host.get("NetworkMode") or "default"),
            networks=tuple(record.networks),
            exposed=tuple(record.config.get("ExposedPorts") or ()),
            published=tuple(record.host.get("PortBindings") or ()),
            auto_remove=bool(record.host.get("AutoRemove")),
        )

    @classmethod
    def from_row(cls, row: "list[Any]") -> "Outline":
        """Read what `to_row` gave, which went through JSON."""
        values: list[Any] = [tuple(v) if isinstance(v, list) else v for v in row]
        return cls(*values)

    def to_row(self) -> list[object]:
        """Give the values in the order of the fields, as the roster keeps them."""
        return [getattr(self, name) for name in self.__match_args__]
