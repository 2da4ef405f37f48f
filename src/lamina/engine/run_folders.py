"""Where a running container's socket and bundle are."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = ["order_folder", "shim_socket"]


def order_folder(run_root: str, container: str) -> str:
    """Give the folder of a running container's socket and bundle; short, for the socket's sake."""
    return f"{run_root}/c/{container[:16]}"


def shim_socket(engine: "Engine", record: "ContainerRecord") -> str:
    """Give where the container's shim listens."""
    return f"{order_folder(engine.settings.run_root, record.id)}/s"
