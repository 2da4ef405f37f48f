"""New images from old ones: pure functions on configurations and manifests."""

from collections.abc import Callable, Sequence

from lamina.errors import Invalid, Unsupported
from lamina.spec.config import History, ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.wire import Document, decode

__all__ = [
    "OCI_NAMES",
    "ChangeInvalid",
    "FormatImpossible",
    "append_layer",
    "apply_changes",
    "docker_manifest",
    "new_manifest",
    "without_layers",
]


class ChangeInvalid(Invalid):
    """A `--change` is not an instruction that a commit or import may carry."""


class FormatImpossible(Unsupported):
    """A layer is packed in a way that a manifest of Docker's has no name for."""


def append_layer(
    base: Document,
    *,
    diff_id: Digest | None,
    row: History,
    settings: Document,
    extra: Document | None = None,
) -> ImageConfig:
    """Give the configuration of `base` with one more step; `diff_id` None adds no layer.

    `settings` replaces the `config` object whole. Fields of `base` that we do not know stay.
    """
    document = {key: value for key, value in base.items() if key not in ("rootfs", "history")}
    document.update(extra or {})
    if row.created:
        document["created"] = row.created
    if row.author:
        document["author"] = row.author
    else:
        document.pop("author", None)
    document["config"] = settings
    old = base.get("rootfs") or {}
    diff_ids = [*(old.get("diff_ids") or []), *([str(diff_id)] if diff_id else [])]
    document["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
    document["history"] = [*(base.get("history") or []), row.to_json()]
    return ImageConfig.build(document)


def without_layers(base: Document) -> Document:
    """Give the configuration of `base` as steps that made no layers: one layer holds all of them.

    As Docker's `build --squash` keeps a history.
    """
    rows = [{**row, "empty_layer": True} for row in base.get("history") or []]
    return {**base, "rootfs": {"type": "layers", "diff_ids": []}, "history": rows}


def new_manifest(config: ImageConfig, layers: Sequence[Descriptor]) -> Manifest:
    """Write the OCI manifest that joins `config` and `layers`, lowest first."""
    wanted = Descriptor(MediaType.OCI_CONFIG, config.digest, len(config.raw))
    return Manifest.build(wanted, tuple(_as_oci(layer) for layer in layers))


OCI_NAMES = {
    MediaType.DOCKER_MANIFEST: MediaType.OCI_MANIFEST,
    MediaType.DOCKER_CONFIG: MediaType.OCI_CONFIG,
    MediaType.DOCKER_LAYER: MediaType.OCI_LAYER,
    MediaType.DOCKER_LAYER_GZIP: MediaType.OCI_LAYER_GZIP,
}
"""What OCI calls the same bytes that Docker has types of its own for."""


def docker_manifest(config: ImageConfig, layers: Sequence[Descriptor]) -> Manifest:
    """Write the manifest of Docker's own format (schema 2) that joins `config` and `layers`.

    Raises: FormatImpossible (a layer is packed with zstd).
    """
    wanted = Descriptor(MediaType.DOCKER_CONFIG, config.digest, len(config.raw))
    rows = tuple(_as_docker(layer) for layer in layers)
    return Manifest.build(wanted, rows, media_type=MediaType.DOCKER_MANIFEST)


def _as_docker(layer: Descriptor) -> Descriptor:
    """Name a layer in Docker's words. Raises: FormatImpossible."""
    names = {oci: docker for docker, oci in OCI_NAMES.items()}
    media_type = names.get(layer.media_type, layer.media_type)
    if media_type not in OCI_NAMES:
        raise FormatImpossible(
            f"Docker's format has no name for layer {layer.digest.short}: it is {layer.media_type}",
            hint="commit with --format oci, or --squash with gzip",
        )
    return Descriptor(media_type, layer.digest, layer.size, annotations=layer.annotations)


def _as_oci(layer: Descriptor) -> Descriptor:
    """Name the same bytes in OCI's words: a manifest must not mix both families."""
    media_type = OCI_NAMES.get(layer.media_type, layer.media_type)
    return Descriptor(media_type, layer.digest, layer.size, annotations=layer.annotations)


def apply_changes(settings: Document, changes: Sequence[str]) -> Document:
    """Give `settings` after Dockerfile instructions, in order, as `commit --change` takes them.

    Known: CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR HEALTHCHECK SHELL.
    Raises: ChangeInvalid (another instruction, or arguments that make no sense).
    """
    result = dict(settings)
    for change in changes:
        word, _, rest = change.strip().partition(" ")
        instruction = _INSTRUCTIONS.get(word.upper())
        if instruction is None:
            raise ChangeInvalid(
                f"{word} is not a valid change command" if word else "an empty change",
                hint="use one of " + ", ".join(sorted(_INSTRUCTIONS)),
            )
        if not rest.strip():
            raise ChangeInvalid(f"{word.upper()} requires at least one argument")
        instruction(result, rest.strip())
    return result


def _command(settings: Document, key: str, rest: str) -> None:
    """Exec form is a JSON list; anything else is a shell line."""
    if rest.startswith("["):
        try:
            words = decode('{"w":' + rest + "}")["w"]
        except Invalid:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            settings[key] = words
            return
    shell = settings.get("Shell") or ["/bin/sh", "-c"]
    settings[key] = [*shell, rest]


def _cmd(settings: Document, rest: str) -> None:
    _command(settings, "Cmd", rest)


def _entrypoint(settings: Document, rest: str) -> None:
    _command(settings, "Entrypoint", rest)


def _shell(settings: Document, rest: str) -> None:
    if not rest.startswith("["):
        raise ChangeInvalid("SHELL requires the arguments to be in JSON form")
    _command(settings, "Shell", rest)


def _pairs(word: str, rest: str) -> list[tuple[str, str]]:
    """Read `K=V K2="a b"`, or the old form `K rest of line`."""
    import shlex  # loads re

    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise ChangeInvalid(f"{word}: {error}") from error
    if words and "=" not in words[0]:
        key, _, value = rest.partition(" ")
        if not value:
            raise ChangeInvalid(f"{word} must have two arguments")
        return [(key, value.strip())]
    if not all("=" in item for item in words):
        raise ChangeInvalid(
            f"Syntax error - can't find = in {rest!r}. Must be of the form: name=value"
        )
    return [(item.partition("=")[0], item.partition("=")[2]) for item in words]


def _env(settings: Document, rest: str) -> None:
    rows = list(settings.get("Env") or [])
    for key, value in _pairs("ENV", rest):
        line = f"{key}={value}"
        for i, row in enumerate(rows):
            if row.partition("=")[0] == key:
                rows[i] = line
                break
        else:
            rows.append(line)
    settings["Env"] = rows


def _label(settings: Document, rest: str) -> None:
    settings["Labels"] = {**(settings.get("Labels") or {}), **dict(_pairs("LABEL", rest))}


def _expose(settings: Document, rest: str) -> None:
    ports = dict(settings.get("ExposedPorts") or {})
    for word in rest.split():
        number, _, protocol = word.partition("/")
        if not number.replace("-", "").isdigit() or protocol not in ("", "tcp", "udp", "sctp"):
            raise ChangeInvalid(f"invalid containerPort: {word}")
        ports[f"{number}/{protocol or 'tcp'}"] = {}
    settings["ExposedPorts"] = ports


def _volume(settings: Document, rest: str) -> None:
    probe: Document = {}
    _command(probe, "paths", rest if rest.startswith("[") else "[]")
    paths = probe["paths"] if rest.startswith("[") else rest.split()
    settings["Volumes"] = {**(settings.get("Volumes") or {}), **{path: {} for path in paths}}


def _workdir(settings: Document, rest: str) -> None:
    old = str(settings.get("WorkingDir") or "/")
    path = rest if rest.startswith("/") else old.rstrip("/") + "/" + rest
    settings["WorkingDir"] = path.rstrip("/") or "/"


def _onbuild(settings: Document, rest: str) -> None:
    if rest.split(" ", 1)[0].upper() in ("ONBUILD", "FROM", "MAINTAINER"):
        raise ChangeInvalid(f"{rest.split(' ', 1)[0]} isn't allowed as an ONBUILD trigger")
    settings["OnBuild"] = [*(settings.get("OnBuild") or []), rest]


def _healthcheck(settings: Document, rest: str) -> None:
    if rest.upper() == "NONE":
        settings["Healthcheck"] = {"Test": ["NONE"]}
        return
    word, _, line = rest.partition(" ")
    if word.upper() != "CMD" or not line.strip():
        raise ChangeInvalid("HEALTHCHECK takes NONE or CMD and a command")
    probe: Document = {}
    _command(probe, "Test", line.strip())
    is_exec = line.strip().startswith("[")
    settings["Healthcheck"] = {
        "Test": ["CMD", *probe["Test"]] if is_exec else ["CMD-SHELL", line.strip()]
    }


def _plain(key: str) -> Callable[[Document, str], None]:
    def put(settings: Document, rest: str) -> None:
        settings[key] = rest

    return put


_INSTRUCTIONS: dict[str, Callable[[Document, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _plain("StopSignal"),
    "USER": _plain("User"),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
