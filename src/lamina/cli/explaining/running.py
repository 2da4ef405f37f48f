"""The story of a run: layers become one file system, and a process is put into it."""

from __future__ import annotations

import os
from contextlib import suppress

from lamina.cli.units import human_size
from lamina.events import Admitted, DocumentRead, Exchanged, LayerProgress, Noted, Running, Starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page
    from lamina.cli.explaining.pulling import PullStory
    from lamina.cli.flags import Arguments
    from lamina.engine.records import ContainerRecord
    from lamina.events import Deed, Event

__all__ = ["RunStory"]

_NAMESPACES = {
    "pid": "which processes it sees: its first one is number 1",
    "mnt": "which mounts it sees: its root is the union",
    "net": "which interfaces and ports it has",
    "uts": "its host name",
    "ipc": "shared memory and message queues",
    "cgroup": "which part of the cgroup tree it sees",
    "user": "whose user IDs: 0 in there may be nobody out here",
}
_SHARED = {
    "pid": "it sees all processes of this machine",
    "net": "it has this machine's interfaces and ports",
    "user": "whose user IDs: root inside is root outside, but for what follows",
}
_ALL_CAPABILITIES = 41
_CHANGES = 8
_LOWERS = 20


class RunStory:
    """Told from what the shim was ordered to do, and from what /proc had on the first process."""

    def __init__(self, page: Page, context: Context, arguments: Arguments) -> None:
        self._page = page
        self._context = context
        self._arguments = arguments
        self._image = arguments.positional[0]
        self._pull: PullStory | None = None
        self._record: ContainerRecord | None = None
        self._starting: Starting | None = None
        self._runs = False
        self._ours = _namespaces()

    def begin(self) -> None:
        """Tell which image it is, if it is here."""
        from lamina.errors import LaminaError
        from lamina.spec.reference import Reference

        page = self._page
        page.step("The image")
        try:
            image = self._context.engine.images.resolve(self._image)
        except LaminaError:
            whole = Reference.parse(self._image)
            known = "" if str(whole) == self._image else f" ({whole})"
            page.fact(f"{self._image}{known} is not here, so it is pulled first.")
            return
        count = len(image.config.diff_ids)
        page.say(
            f"{self._image} is here, so no registry is asked: a manifest, a config and {count} "
            f"layer{'' if count == 1 else 's'}. `lamina explain {self._image}` shows them."
        )
        page.rows([("manifest", str(image.manifest.digest)), ("image ID", str(image.id))])

    def hear(self, deed: Event | Deed) -> None:
        """Take one deed."""
        if isinstance(deed, (Exchanged, Admitted, DocumentRead, LayerProgress)):
            self._pulling().hear(deed)
        elif isinstance(deed, Noted):
            if (deed.kind, deed.action) == ("image", "pull"):
                self._pulling().hear(deed)
            elif (deed.kind, deed.action) == ("container", "create"):
                self._created(deed.id)
        elif isinstance(deed, Starting):
            self._starting = deed
        elif isinstance(deed, Running):
            self._running(deed)

    def end(self, code: int) -> None:
        """Tell how the process ended, and what is left of it."""
        if self._record is None:
            return
        page, record = self._page, self._record
        from lamina.errors import LaminaError

        engine = self._context.engine
        detached = self._arguments.flag("detach")
        page.step("It runs on" if detached else "The end")
        try:
            state = engine.containers.state(record.id)
            engine.containers.record(record.id)
        except LaminaError:
            page.fact(f"The process ended with code {code}, which is this command's, too.")
            page.say("--rm: its record, its files and its mounts are gone. The image is as it was.")
            return
        if state.is_running:
            page.fact(f"The shim looks after it: process {state.shim}, state {state.status}.")
            page.command(f"lamina logs {record.name}")
            page.command(f"lamina stop {record.name}")
            return
        page.fact(f"The process ended with code {code}, which is this command's, too.")
        page.say(
            "The union and the namespaces are gone. The record and the container layer stay until `lamina rm`."
        )
        with suppress(LaminaError, OSError):
            self._tell_changes(record)

    def fail(self) -> None:
        """Tell how far it came."""
        if self._pull is not None and not self._pull.finished:
            self._pull.fail()
        if self._starting is not None and not self._runs:
            self._tell_union(self._starting, None)

    def _pulling(self) -> PullStory:
        if self._pull is None:
            from lamina.cli.explaining.pulling import PullStory

            self._pull = PullStory(self._page, self._context, self._image, embedded=True)
            self._pull.begin()
        return self._pull

    def _tell_changes(self, record: ContainerRecord) -> None:
        changes = self._context.engine.containers.changes(record.id)
        if not changes:
            self._page.say("It changed no file.")
            return
        rows = [f"{change.kind} /{os.fsdecode(change.path)}" for change in changes]
        shown = rows[:_CHANGES] if len(rows) > _CHANGES + 1 else rows
        self._page.command(f"lamina diff {record.name}", "\n".join(shown))
        if len(shown) < len(rows):
            self._page.say(f"and {len(rows) - len(shown)} more.")
        self._page.say(f"`lamina explain commit {record.name} NAME` makes a layer of that.")

    # made

    def _created(self, ident: str) -> None:
        page, engine = self._page, self._context.engine
        record = engine.containers.record(ident)
        self._record = record
        page.step("The container")
        page.say(
            "A container is made before it runs: a record, and an empty directory for whatever it will "
            "write, the container layer. No file of the image is copied."
        )
        words = [record.path, *record.args]
        page.rows([
            ("name", record.name),
            ("ID", record.id),
            ("record", f"{record.folder}/container.json"),
            ("container layer", engine.snapshotter.stack(record.id).upper),
            ("command", " ".join(words)),
        ])  # fmt: skip

    # runs

    def _running(self, deed: Running) -> None:
        if self._starting is not None:
            self._tell_union(self._starting, deed.seen)
        self._runs = True
        self._tell_process(deed)
        self._tell_namespaces(deed)
        self._tell_bounds(deed)
        self._tell_network(deed)
        if not self._arguments.flag("detach"):
            line = ("─" if self._page.unicode else "-") * 3
            self._page.plain(f"\n{line} what it writes comes from here on {line}")

    def _tell_union(self, starting: Starting, seen: Any) -> None:  # noqa: ANN401 - the shim's document
        page, record = self._page, self._record
        page.step("The union")
        sealed = [mount for mount in starting.mounts if mount.type == "erofs"]
        overlay = next((mount for mount in starting.mounts if mount.type == "overlay"), None)
        numbers: dict[str, int] = (
            {d.hex: n for n, d in enumerate(record.diff_ids, 1)} if record else {}
        )
        if sealed:
            page.say(
                "The shim mounts each sealed layer read-only (EROFS), once for all containers of this machine:"
            )
            rows = []
            for mount in sealed[:_LOWERS]:
                found = next((hexes for hexes in numbers if hexes in mount.source), "")
                rows.append(
                    (
                        f"layer {numbers.get(found, '?')}",
                        found[:12],
                        "→ " + mount.target,
                    )
                )
            page.rows(rows)
            if len(sealed) > _LOWERS:
                page.say(f"and {len(sealed) - _LOWERS} more.")
        if overlay is None:
            page.say(
                f"The driver here is `{record.driver if record else '?'}`: the union is a copy of its own."
            )
            return
        lowers = [o.partition("=")[2] for o in overlay.options if o.startswith("lowerdir")]
        if not sealed:
            page.say(
                "For this user the kernel mounts no layers, so each was unpacked into a directory, once for all "
                "containers."
            )
        page.say(
            f"Then the kernel's overlayfs lays them over each other: {len(lowers)} "
            f"lower{'' if len(lowers) == 1 else 's'}, topmost first, and one upper. A file is the one of the highest "
            "that has it. What the container writes goes to the upper; a file of a lower is copied "
            "there first; what it deletes gets a whiteout there. The layers never change."
        )
        page.rows([_option(option) for option in overlay.options])
        root = next((line for line in (seen or {}).get("mounts", ()) if line.split()[4] == "/"), "")
        if root and not page.brief:
            page.say("All of it together is the rootfs. From inside /proc/1/mountinfo shows it so:")
            page.rows([(root,)])
        self._tell_mounts(seen)

    def _tell_mounts(self, seen: Any) -> None:  # noqa: ANN401 - the shim's document
        """Tell what lies over the union: the runtime's own, volumes, files and folders of the host."""
        mounts = ((seen or {}).get("config") or {}).get("mounts") or []
        binds = [
            each
            for each in mounts
            if ("bind" in each["type"] or "rbind" in each["options"])
            and not each["destination"].startswith(("/dev/", "/proc/", "/sys/"))
        ]
        others = [each["destination"] for each in mounts if each["type"] != "bind"]
        if not binds:
            return
        arrow = "←" if self._page.unicode else "<-"
        self._page.say(
            f"Over it lie the mounts that every container has ({', '.join(others[:4])}, …), and these, which come from "
            "outside: what is written there is in no layer."
        )
        self._page.rows(
            [(each["destination"], f"{arrow} {each['source']}") for each in binds[:_LOWERS]]
        )

    def _tell_process(self, deed: Running) -> None:
        page, seen = self._page, deed.seen
        config = seen.get("config") or {}
        process = config.get("process") or {}
        page.step("The first process")
        name = self._starting.runtime if self._starting else "the runtime"
        if name == "bwrap":
            page.say(
                "The shim says all of what follows to bubblewrap, which makes a process in namespaces of "
                "its own that becomes the command."
            )
        else:
            page.say(
                f"The shim writes a bundle, whose config.json says all of what follows, and gives it to {name}. "
                "That makes a process in namespaces of its own, and lets it become the command."
            )
        pids = seen.get("pids") or []
        user = process.get("user") or {}
        rows = [
            ("command", " ".join(process.get("args", ()))),
            ("directory", str(process.get("cwd", ""))),
            ("user", f"{user.get('uid', '?')}:{user.get('gid', '?')}"),
            ("environment", ", ".join(row.partition("=")[0] for row in process.get("env", ()))),
            ("number outside", str(deed.pid)),
        ]
        if len(pids) > 1:
            rows.append(("number inside", str(pids[-1])))
        page.rows(rows)
        page.say("Of the environment the names alone are shown: values are often secrets.")

    def _tell_namespaces(self, deed: Running) -> None:
        page = self._page
        found = deed.seen.get("namespaces") or {}
        if not found:
            return
        page.step("Namespaces: what it sees")
        page.say(
            "A namespace is a view of its own of one thing that the machine has. The numbers name "
            "them; where they differ from this command's own, the view is another."
        )
        rows = []
        for kind, why in _NAMESPACES.items():
            if kind in found:
                number = found[kind].partition(":")[2].strip("[]")
                if found[kind] != self._ours.get(kind):
                    rows.append((kind, number, "its own", why))
                else:
                    rows.append(
                        (kind, number, "shared", _SHARED.get(kind, "the same as this command"))
                    )
        page.rows(rows)

    def _tell_bounds(self, deed: Running) -> None:
        page, seen = self._page, deed.seen
        config = seen.get("config") or {}
        linux = config.get("linux") or {}
        process = config.get("process") or {}
        page.step("What holds it in")
        kept = (process.get("capabilities") or {}).get("bounding") or []
        rows = [(
            "capabilities",
            f"{len(kept)} of root's {_ALL_CAPABILITIES}: "
            + (", ".join(word.removeprefix("CAP_").lower() for word in kept) or "none"),
        )]  # fmt: skip
        calls = seen.get("allowed_calls")
        words = f"{calls} are allowed, by a seccomp filter" if calls else "all: there is no filter"
        rows.append(("system calls", words))
        if masked := linux.get("maskedPaths"):
            rows.append(("hidden", f"{len(masked)} paths: {', '.join(masked[:3])}, …"))
        if fixed := linux.get("readonlyPaths"):
            rows.append(("read-only", ", ".join(fixed)))
        group = self._group(seen)
        if group:
            rows.append(("cgroup", group))
        memory = ((linux.get("resources") or {}).get("memory") or {}).get("limit")
        limits = self._limits()
        rows.append(("limits", limits or (human_size(memory) if memory else "none were asked for")))
        if self._record and self._record.host.get("Privileged"):
            page.say(
                "It is privileged: hardly anything holds it in. Root inside is as good as root here."
            )
        else:
            page.say("Root inside may not do all that root may: it is held in by all of these.")
        page.rows(rows)
        if group:
            page.say("A cgroup counts what the container uses, and holds the limits.")

    def _group(self, seen: Any) -> str:  # noqa: ANN401 - the shim's document
        ident = self._record.id if self._record else "?"
        return next(
            (line.rpartition(":")[2] for line in seen.get("cgroups", ()) if ident in line), ""
        )

    def _limits(self) -> str:
        host = self._record.host if self._record else {}
        words = []
        if memory := host.get("Memory"):
            words.append(f"memory {human_size(int(memory), binary=True)}")
        if cpus := host.get("NanoCpus"):
            words.append(f"{int(cpus) / 1e9:g} CPUs")
        if pids := host.get("PidsLimit"):
            words.append(f"{pids} processes")
        return ", ".join(words)

    def _tell_network(self, deed: Running) -> None:
        page, record = self._page, self._record
        network = deed.seen.get("network") or {}
        mode = str(record.host.get("NetworkMode") or "default") if record else "default"
        page.step("The network")
        rows = []
        for name, row in (network.get("Networks") or {}).items():
            rows += [("network", name), *_told(row, "IPAddress", "Gateway", "MacAddress")]
        wired = bool(rows)
        if not rows and network.get("Address"):
            rows += [("network", mode), ("address", str(network["Address"]))]
        for port, bound in (network.get("Ports") or {}).items():
            for place in bound or ():
                rows.append(
                    ("published", f"{place.get('HostIp', '')}:{place.get('HostPort', '')} → {port}")
                )
        if not rows:
            words = {
                "none": "It has none but its own loopback: --network none.",
                "host": "It shares this machine's: --network host.",
            }
            page.fact(words.get(mode, f"The mode is `{mode}`: it has no address of its own."))
            return
        page.say(
            "A cable leads out of its network namespace; its other end is on a bridge here."
            if wired
            else "A program of this user carries its packets (pasta or slirp4netns): a bridge takes root."
        )
        page.rows(rows)


def _option(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    return name.rstrip("+"), value if equals else "yes"


def _told(row: Any, *names: str) -> list[tuple[str, str]]:  # noqa: ANN401 - a document
    words = {"IPAddress": "address", "Gateway": "way out", "MacAddress": "hardware"}
    return [(words[name], str(row[name])) for name in names if row.get(name)]


def _namespaces() -> dict[str, str]:
    found = {}
    for kind in _NAMESPACES:
        with suppress(OSError):
            found[kind] = os.readlink(f"/proc/self/ns/{kind}")
    return found
