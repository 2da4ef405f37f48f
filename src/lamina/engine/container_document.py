"""A container as `docker inspect` shows it."""

from lamina.engine.mounting import HIDDEN
from lamina.engine.network_document import network_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord, ContainerState
    from lamina.spec.wire import Document

__all__ = ["container_document"]

_NEVER = "0001-01-01T00:00:00Z"


def container_document(
    engine: "Engine", record: "ContainerRecord", state: "ContainerState"
) -> "Document":
    """Give the whole document; times that never came are Go's zero time, as Docker writes them."""
    driver: Document = {"Name": record.driver, "Data": _driver_data(engine, record)}
    folder = record.folder
    return {
        "Id": record.id,
        "Created": record.created,
        "Path": record.path,
        "Args": list(record.args),
        "State": {
            "Status": state.status,
            "Running": state.is_running,
            "Paused": state.status == "paused",
            "Restarting": state.status == "restarting",
            "OOMKilled": state.oom_killed,
            "Dead": state.status == "dead",
            "Pid": state.pid,
            "ExitCode": state.exit_code,
            "Error": state.error,
            "StartedAt": state.started or _NEVER,
            "FinishedAt": state.finished or _NEVER,
            **({"Health": state.health} if state.health else {}),
        },
        "Image": str(record.image_id),
        "ResolvConfPath": f"{folder}/resolv.conf",
        "HostnamePath": f"{folder}/hostname",
        "HostsPath": f"{folder}/hosts",
        "LogPath": f"{folder}/log",
        "Name": f"/{record.name}",
        "RestartCount": state.restarts,
        "Driver": record.driver,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": record.host,
        "GraphDriver": driver,
        "Mounts": [
            {key: value for key, value in mount.items() if key not in HIDDEN}
            for mount in record.mounts
        ],
        "Config": record.config,
        "NetworkSettings": network_settings(record, state),
    }


def _driver_data(engine: "Engine", record: "ContainerRecord") -> "Document":
    active = f"{engine.settings.root}/snapshots/active/{record.id}"
    return {"UpperDir": f"{active}/upper", "WorkDir": f"{active}/work"}
