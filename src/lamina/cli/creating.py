"""What `run` and `create` share: their flags, the request these make, and the image fetched."""

from __future__ import annotations

import os
from contextlib import contextmanager

from lamina.cli import isolating, keeping_flags, networking, refused
from lamina.cli.flags import BOOL, BYTES, INT, LIST, MAP, STRING, Flag, FlagInvalid
from lamina.cli.kinds import Kind, Value
from lamina.cli.limiting import CREATE_FLAGS, limits_of, warn
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.records import ContainerRecord
    from lamina.engine.requests import CreateRequest

__all__ = ["FLAGS", "as_ours", "create", "read_env_files", "request_of", "with_values"]


def _parse_stream(text: str) -> Value:
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")
    return (text.lower(),)


STREAMS = Kind("list", (), _parse_stream, LIST.gather)
FLAGS = (
    Flag("attach", "a", kind=STREAMS, help="Attach to STDIN, STDOUT or STDERR"),
    Flag("cap-add", kind=LIST, help="Add Linux capabilities"),
    Flag("cap-drop", kind=LIST, help="Drop Linux capabilities"),
    Flag("cidfile", help="Write the container ID to the file"),
    Flag("domainname", help="Container NIS domain name"),
    Flag("entrypoint", help="Overwrite the default ENTRYPOINT of the image"),
    Flag("env", "e", kind=LIST, help="Set environment variables"),
    Flag("env-file", kind=LIST, help="Read in a file of environment variables"),
    Flag("hostname", "h", help="Container host name"),
    Flag("init", kind=BOOL, help="Run an init inside that forwards signals and reaps processes"),
    Flag("interactive", "i", kind=BOOL, help="Keep STDIN open even if not attached"),
    Flag("label", "l", kind=LIST, help="Set meta data on a container"),
    Flag("label-file", kind=LIST, help="Read in a line delimited file of labels"),
    Flag("log-driver", help="Logging driver for the container", default="json-file"),
    Flag("log-opt", kind=MAP, help="Log driver options"),
    Flag("mount", kind=LIST, help="Attach a filesystem mount to the container"),
    Flag("name", help="Assign a name to the container"),
    Flag("platform", help="Set platform if the image is multi-platform"),
    Flag("privileged", kind=BOOL, help="Give extended privileges to this container"),
    Flag(
        "pull", help='Pull image before running ("always", "missing", "never")', default="missing"
    ),
    Flag("quiet", "q", kind=BOOL, help="Suppress the pull output"),
    Flag("read-only", kind=BOOL, help="Mount the container's root filesystem as read only"),
    Flag("rm", kind=BOOL, help="Automatically remove the container when it exits"),
    Flag("security-opt", kind=LIST, help="Security options"),
    Flag("shm-size", kind=BYTES, help="Size of /dev/shm"),
    Flag("stop-signal", help="Signal to stop the container"),
    Flag("stop-timeout", kind=INT, help="Timeout (in seconds) to stop a container"),
    Flag("sysctl", kind=MAP, help="Sysctl options"),
    Flag("tmpfs", kind=LIST, help="Mount a tmpfs directory"),
    Flag("tty", "t", kind=BOOL, help="Allocate a pseudo-TTY"),
    Flag("user", "u", help="Username or UID (format: <name|uid>[:<group|gid>])"),
    Flag("volume", "v", kind=LIST, help="Bind mount a volume"),
    Flag("volumes-from", kind=LIST, help="Mount volumes from the specified container(s)"),
    Flag("workdir", "w", kind=STRING, help="Working directory inside the container"),
    *CREATE_FLAGS,
    *isolating.FLAGS,
    *networking.FLAGS,
    *refused.CREATE,
    *refused.DRIVER,
    *refused.TRUST,
    *keeping_flags.FLAGS,
)


_TMPFS_VALUES = ("gid", "mode", "mpol", "nr_blocks", "nr_inodes", "size", "uid")
_TMPFS_HINT = "size=64m, mode=1777, uid=, gid=, nr_inodes=, exec, suid, dev, ro"
_TMPFS_FORMS = {  # tmpfs(5); of any other the kernel says no more than EINVAL
    **dict.fromkeys(("gid", "uid"), "[0-9]+"),
    "mode": "[0-7]+",
    **dict.fromkeys(("nr_blocks", "nr_inodes"), "[0-9]+[kKmMgG]?"),
    "size": "[0-9]+[kKmMgG%]?",
}
_TMPFS_WORDS = (
    "async", "atime", "defaults", "dev", "diratime", "dirsync", "exec", "mand", "noatime", "nodev",
    "nodiratime", "noexec", "nomand", "norelatime", "nostrictatime", "nosuid", "private", "relatime",
    "remount", "ro", "rprivate", "rw", "strictatime", "suid", "sync", "tmpcopyup", "notmpcopyup",
)  # fmt: skip


def create(arguments: Arguments, context: Context, *, attached: bool = True) -> ContainerRecord:
    """Make the container that the words ask for, its image pulled first where it is missing."""
    request = request_of(arguments, context, attached=attached)
    networks = tuple(endpoint.network for endpoint in request.networks.endpoints)
    shared = tuple(f"container:{name}" for name in isolating.joined_containers(arguments))
    context.enter_namespace(networks=(*networks, *shared))
    warn(context, request.limits)
    policy = arguments.text("pull")
    if policy not in ("always", "missing", "never"):
        raise FlagInvalid(
            f'invalid pull option: \'{policy}\': must be one of "always", "missing" or "never"'
        )
    if policy == "always":
        _pull(arguments, context, request.image)
    with _cidfile(request.cidfile) as note:
        record = _create(arguments, context, request, may_pull=policy == "missing")
        note(record.id)
    networking.warn(record, context)
    return record


@contextmanager
def _cidfile(path: str) -> Iterator[Callable[[str], object]]:
    """Make the file for the container's ID, there when anything else may fail, and gone if it does."""
    if not path:
        yield len
        return
    try:
        file = open(path, "x", encoding="ascii")  # noqa: SIM115 - closed below
    except FileExistsError:
        raise Invalid(
            "container ID file found, make sure the other container isn't running or delete " + path
        ) from None
    except OSError as error:
        raise Invalid(f"failed to create the container ID file: {path}: {error.strerror}") from None
    try:
        with file:
            yield file.write
    except BaseException:
        os.unlink(path)
        raise


def _create(
    arguments: Arguments, context: Context, request: CreateRequest, *, may_pull: bool
) -> ContainerRecord:
    from lamina.engine.local import ImageUnknown

    try:
        return context.engine.containers.create(request)
    except ImageUnknown:
        if not may_pull:
            raise
    from lamina.spec.reference import Reference

    familiar = Reference.parse(request.image).familiar
    context.say(f"Unable to find image '{familiar}' locally")
    _pull(arguments, context, request.image)
    return context.engine.containers.create(request)


def _pull(arguments: Arguments, context: Context, image: str) -> None:
    """Pull, telling on stderr: stdout belongs to the container."""
    from lamina.cli.context import Context as Here
    from lamina.cli.progress import Progress

    talk = Here(out=context.err, err=context.err, environ=context.environ, now=context.now)
    with Progress(talk, quiet=arguments.flag("quiet")) as listener:
        context.engine.images.pull(image, platform=arguments.text("platform"), listener=listener)


def request_of(arguments: Arguments, context: Context, *, attached: bool) -> CreateRequest:
    """Read the flags. Raises: FlagInvalid and the errors of `engine.requests`."""
    from lamina.engine.confinement import with_profiles
    from lamina.engine.devices import Device
    from lamina.engine.limits import Ulimit
    from lamina.engine.requests import CreateRequest, VolumeMount

    refused.refuse(arguments, (*refused.CREATE, *refused.LINK_LOCAL))
    refused.check_defaults(arguments)
    image, *command = arguments.positional
    entrypoint = None
    if arguments.changed("entrypoint"):
        entrypoint = (arguments.text("entrypoint"),)
    mounts = [VolumeMount.parse_volume(text) for text in arguments.texts("volume")]
    mounts += [VolumeMount.parse_mount(text) for text in arguments.texts("mount")]
    timeout = arguments.number("stop-timeout") if arguments.changed("stop-timeout") else None
    return CreateRequest(
        image=image,
        command=tuple(command),
        name=arguments.text("name"),
        entrypoint=entrypoint,
        env=_environment(arguments, context),
        labels=_labels(arguments),
        workdir=arguments.text("workdir"),
        user=arguments.text("user"),
        hostname=arguments.text("hostname"),
        domainname=arguments.text("domainname"),
        terminal=arguments.flag("tty"),
        open_stdin=arguments.flag("interactive"),
        stdin_once=attached,
        mounts=tuple(mounts),
        tmpfs=_tmpfs(arguments.texts("tmpfs")),
        volumes_from=arguments.texts("volumes-from"),
        read_only=arguments.flag("read-only"),
        networking=networking.request_of(arguments),
        extra_hosts=arguments.texts("add-host"),
        dns=arguments.texts("dns"),
        cap_add=_words(arguments.texts("cap-add")),
        cap_drop=_words(arguments.texts("cap-drop")),
        privileged=arguments.flag("privileged"),
        security=with_profiles(arguments.texts("security-opt")),
        init=arguments.flag("init"),
        auto_remove=arguments.flag("rm"),
        stop_signal=arguments.text("stop-signal"),
        stop_timeout_s=timeout,
        shm_size=arguments.number("shm-size"),
        log_driver=arguments.text("log-driver"),
        log_options=arguments.pairs("log-opt"),
        sysctl=arguments.pairs("sysctl"),
        pid_mode=arguments.text("pid"),
        ipc_mode=arguments.text("ipc"),
        uts_mode=arguments.text("uts"),
        userns_mode=arguments.text("userns"),
        cgroupns_mode=arguments.text("cgroupns"),
        cgroup_parent=arguments.text("cgroup-parent"),
        annotations=arguments.pairs("annotation"),
        runtime=arguments.text("runtime"),
        platform=arguments.text("platform"),
        cidfile=arguments.text("cidfile"),
        limits=limits_of(arguments),
        ulimits=tuple(Ulimit.parse(text) for text in arguments.texts("ulimit")),
        devices=tuple(Device.parse(text) for text in arguments.texts("device")),
        device_rules=arguments.texts("device-cgroup-rule"),
        group_add=arguments.texts("group-add"),
        oom_score_adj=arguments.number("oom-score-adj"),
        restart=keeping_flags.policy_of(arguments),
        health=keeping_flags.health_of(arguments),
    )


def _words(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for text in texts for word in text.split(",") if word)


def _tmpfs(texts: tuple[str, ...]) -> dict[str, str]:
    import re

    rows = {}
    for text in texts:
        path, _, options = text.partition(":")
        if not path.startswith("/"):
            raise Invalid(f"invalid tmpfs {text!r}: the path must be absolute")
        for word in options.split(",") if options else ():
            name, equals, value = word.partition("=")
            if name not in (_TMPFS_VALUES if equals else _TMPFS_WORDS) or (equals and not value):
                raise Invalid(
                    f'Invalid tmpfs option "{word}"',
                    hint=_TMPFS_HINT,
                )
            if not re.fullmatch(_TMPFS_FORMS.get(name, ".*"), value):
                raise Invalid(f'Invalid value of tmpfs option "{word}"', hint=_TMPFS_HINT)
        rows[os.path.normpath(path)] = options
    return rows


def _environment(arguments: Arguments, context: Context) -> tuple[str, ...]:
    rows = read_env_files(arguments.texts("env-file"), context.environ)
    rows += with_values(arguments.texts("env"), context.environ)
    return tuple(rows)


def with_values(rows: tuple[str, ...], environ: object) -> list[str]:
    """Give `NAME=value` rows; a bare NAME takes this process's value, or is left out without one."""
    found = []
    for row in rows:
        name, equals, _ = row.partition("=")
        if not name:
            raise FlagInvalid(f"invalid environment variable: {row}")
        if equals:
            found.append(row)
        elif name in environ:  # type: ignore[operator]
            found.append(f"{name}={environ[name]}")  # type: ignore[index]
    return found


def read_env_files(paths: tuple[str, ...], environ: object) -> list[str]:
    """Read files of `NAME=value` lines; `#` begins a comment line. Raises: Invalid."""
    rows: list[str] = []
    for path in paths:
        rows += with_values(tuple(_file_rows(path, "env")), environ)
    return rows


def _file_rows(path: str, kind: str) -> list[str]:
    """Read the lines of an env or a label file: values as they stand, quotes and spaces too."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise Invalid(
            f"invalid {kind} file ({path}): open {path}: {(error.strerror or '').lower()}"
        ) from None
    except UnicodeDecodeError as error:
        at = error.object.count(b"\n", 0, error.start) + 1
        raise Invalid(
            f"invalid {kind} file ({path}): env file {path} contains invalid utf8 bytes at line {at}"
        ) from None
    lines = [line.removesuffix("\r").lstrip() for line in text.split("\n")]
    kept = [line for line in lines if line and not line.startswith("#")]
    for line in kept:
        name = line.partition("=")[0]
        if not name:
            raise Invalid(f"invalid {kind} file ({path}): no variable name on line '{line}'")
        if any(c.isspace() for c in name):
            raise Invalid(f"invalid {kind} file ({path}): variable '{name}' contains whitespaces")
    return kept


def _labels(arguments: Arguments) -> dict[str, str]:
    rows = list(arguments.texts("label"))
    for path in arguments.texts("label-file"):
        rows = _file_rows(path, "label") + rows
    pairs = (row.partition("=") for row in rows)
    return {name: value for name, _, value in pairs}


def as_ours(error: Exception) -> Exception:
    """Give `error` Docker's exit code 125, unless it has one of its own."""
    if not hasattr(error, "exit_code"):
        error.exit_code = 125  # type: ignore[attr-defined]
    return error
