"""`lamina info`: which parts serve on this machine, and why those."""

from __future__ import annotations

from lamina.cli.flags import Command
from lamina.cli.formats import FORMAT_DOCUMENT, JSON, show_json
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="info",
    usage="lamina info [OPTIONS]",
    summary="Display system-wide information",
    flags=(FORMAT_DOCUMENT, JSON),
    arity=(0, 0),
)
_LINES = (
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Lamina Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    (" Chosen Because", "DriverReason"),
    (" Changed Owners And Modes", "MetadataChanges"),
    ("Default Runtime", "DefaultRuntime"),
    (" Chosen Because", "RuntimeReason"),
    ("Network", "Network"),
    (" Chosen Because", "NetworkReason"),
    ("Kernel Version", "KernelVersion"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Rootless", "Rootless"),
    ("Lamina Root Dir", "LaminaRootDir"),
    ("Lamina Run Dir", "LaminaRunDir"),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print lines, a template's text, or JSON."""
    document = context.engine.system.info()
    form = arguments.text("format")
    if arguments.flag("json"):
        show_json(context, document)
    elif form:
        from lamina.cli.template import Template
        from lamina.cli.template_functions import to_json

        context.print(
            to_json(document) if form == "json" else Template(form).render(document, strict=True)
        )
    else:
        for title, key in _LINES:
            if key in document:
                value = document[key]
                context.print(
                    f"{title}: {str(value).lower() if isinstance(value, bool) else value}"
                )
            if key == "NetworkReason":
                context.print("\n".join(_groups(document)))
            if key == "MetadataChanges":
                context.print("\n".join(_storage(document)))
            if key == "Rootless" and "Quota" in document:
                size, quota = (
                    human_size(document[key], precision=3) for key in ("QuotaUsed", "Quota")
                )
                context.print(f"Quota: {size} used of {quota}")
        for line in _registries(document["RegistryConfig"]):
            context.print(line)
    return 0


def _groups(document: Document) -> list[str]:
    """Write who makes control groups, and which limits they keep."""
    lines = [f"Cgroup Driver: {document['CgroupDriver']}"]
    if document["CgroupVersion"]:
        lines.append(f"Cgroup Version: {document['CgroupVersion']}")
    kept = ", ".join(document["LimitsKept"]) or "none"
    reason = document["CgroupReason"]
    return [*lines, f" Limits Kept: {kept}{f' ({reason})' if reason else ''}"]


def _storage(document: Document) -> list[str]:
    """Write what goes with the storage driver, as docker does: pairs, indented."""
    used = document["Driver"]
    lines = [f" {key}: {text}" for key, text in document["DriverStatus"]]
    for kind in ("Unpacked", "Merged"):
        size = human_size(document[f"{kind}Size"], precision=3)
        lines.append(f" {kind} Layers: {document[f'{kind}Layers']} ({size})")
    lines.append("Storage Drivers:")
    for row in document["StorageDrivers"]:
        state = "serves" if row["Name"] == used else row["Lacks"] or "could serve"
        lines.append(f" {row['Name']}: {state}")
    return lines


def _registries(config: Document) -> list[str]:
    """Write what `registries.toml` says, if there is one."""
    if "File" not in config:
        return []
    lines = [f"Registries File: {config['File']}"]
    for prefix, row in config["Registries"].items():
        said = [f"mirrors {', '.join(row['Mirrors'])}"] if row.get("Mirrors") else []
        said += [f"at {row['Location']}"] if row.get("Location") else []
        said += [f"authority {row['Authority']}"] if row.get("Authority") else []
        said += [key.lower() for key in ("Insecure", "Blocked") if row.get(key)]
        lines.append(f" {prefix}: {'; '.join(said)}")
    return lines
