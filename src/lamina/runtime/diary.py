"""What a shim notes in the journal of events: its container's life, and that of what belongs to it."""

from lamina.stream import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.spec.wire import Document

__all__ = ["Diary"]


class Diary:
    """Notes events of one container; nothing where the order has no journal.

    `order` has the journal's `path`, the `attributes` of the container's events and its `volumes`
    (`name`, `destination`, `writable`, `doomed`: removed with it).
    """

    def __init__(self, order: "Document", container: str) -> None:
        self._order = order
        self._container = container

    def note(self, action: str, **more: str) -> None:
        """Note what happens to the container."""
        if self._order:
            self._note("container", action, self._container, self._order["attributes"] | more)

    def note_start(self, network: "Document") -> None:
        """Note that it has its networks and volumes, and then that it starts."""
        for name, row in _networks(network):
            self._note_network("connect", name, row)
        for volume in self._volumes():
            self._note(
                "volume",
                "mount",
                volume["name"],
                {
                    "container": self._container,
                    "destination": volume["destination"],
                    "driver": "local",
                    "propagation": "",
                    "read/write": "true" if volume["writable"] else "false",
                },
            )
        self.note("start")

    def note_end(self, network: "Document", code: int) -> None:
        """Note that its first process ended, and that it lets go of networks and volumes."""
        self.note("die", exitCode=str(code))
        for name, row in _networks(network):
            self._note_network("disconnect", name, row)
        for volume in self._volumes():
            attributes = {"container": self._container, "driver": "local"}
            self._note("volume", "unmount", volume["name"], attributes)

    def note_removal(self) -> None:
        """Note that it is removed, and its anonymous volumes with it."""
        self.note("destroy")
        for volume in self._volumes():
            if volume["doomed"]:
                self._note("volume", "destroy", volume["name"], {"driver": "local"})

    def _volumes(self) -> "list[Document]":
        return self._order.get("volumes") or []

    def _note_network(self, action: str, name: str, row: "Document") -> None:
        attributes = {"container": self._container, "name": name, "type": "bridge"}
        self._note("network", action, str(row["NetworkID"]), attributes)

    def _note(self, kind: str, action: str, ident: str, attributes: "Document") -> None:
        if self._order:
            journal.note(self._order["path"], kind, action, ident, attributes)


def _networks(network: "Document") -> "list[tuple[str, Document]]":
    """Give the networks of ours that a container is on."""
    found = (network.get("Networks") or {}).items()
    return [(name, row) for name, row in found if row.get("NetworkID")]
