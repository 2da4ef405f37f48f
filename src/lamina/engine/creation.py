"""Making a container: a record, a name, a writable layer; nothing runs yet."""

import os
from contextlib import suppress

from lamina.engine.clock import now_ns
from lamina.engine.isolation import with_ids
from lamina.engine.journal import note_container
from lamina.engine.mounting import forget_volumes, mount_rows
from lamina.engine.names import check_name
from lamina.engine.network_request import Endpoint, stands_alone
from lamina.engine.records import ContainerRecord, hold
from lamina.engine.requests import (
    CreateRequest,
    MountInvalid,
    config_document,
    host_document,
)
from lamina.errors import Invalid
from lamina.runtime.log import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.spec.wire import Document

__all__ = ["begin", "create", "take_back"]


def create(engine: "Engine", request: CreateRequest) -> ContainerRecord:
    """Make a container from a local image. All or nothing, also when killed in the middle.

    Raises: ImageUnknown, NameTaken, NameInvalid, CommandMissing, MountInvalid, Invalid.
    """
    request.check()
    if request.name:
        check_name(request.name)
    # Until the record is there, nothing else says that the image and the volumes are in use.
    with engine.store.lease(), engine.volumes.held():
        record = _create(engine, request)
    note_container(engine, record, "create")
    return record


def _create(engine: "Engine", request: CreateRequest) -> ContainerRecord:
    image = engine.images.resolve(request.image)
    if request.platform:
        _check_platform(request, image)
    container = os.urandom(32).hex()
    config = config_document(request, image.config.settings, container)
    from lamina.engine.wiring import network_owner

    if owner := network_owner(engine, request.networks.mode):
        # Its /etc/hosts is this one's, which has that name alone.
        config |= {key: owner.config.get(key, "") for key in ("Hostname", "Domainname")}
    _refuse_reserved(request)
    host = with_ids(engine, host_document(request))
    networks = _networks(engine, request)
    folder = f"{engine.store.disk.containers}/{container}"
    words = [*(config["Entrypoint"] or ()), *(config["Cmd"] or ())]
    lock = begin(folder)
    name = ""
    mounts: tuple[Document, ...] = ()
    try:
        name = engine.containers.claim(request.name, container)
        mounts = mount_rows(engine, request, config, image.config.diff_ids)
        record = ContainerRecord(
            id=container,
            name=name,
            created=timestamp(now_ns()),
            image_id=image.id,
            image_name=request.image,
            diff_ids=image.config.diff_ids,
            config=config,
            host=host,
            path=words[0],
            args=tuple(words[1:]),
            driver=engine.snapshotter.name,
            mounts=mounts,
            networks=networks,
            folder=folder,
        )
        # What ends with its process is not worth waiting for the disk: a power cut ends it, too.
        durable = not request.auto_remove
        engine.snapshotter.prepare(container, record.diff_ids, durable=durable)
        engine.containers.files.save(record, durable=durable)
        _keep_image(engine, image)
    except BaseException:
        forget_volumes(engine, mounts)
        take_back(engine, container, folder, name)
        raise
    finally:
        os.close(lock)
    return record


def _check_platform(request: CreateRequest, image: "LocalImage") -> None:
    """See that the image here is for the platform asked for. Raises: ImageUnknown, PlatformInvalid."""
    from lamina.engine.variants import lacking
    from lamina.spec.platform import Platform

    if Platform.parse(request.platform).choose([image.config.platform]) is None:
        raise lacking(request.image, request.platform)


def _keep_image(engine: "Engine", image: "LocalImage") -> None:
    """See that the image is still listed: another command may have removed it just before the record."""
    from lamina.engine.naming import keep_image

    rows = engine.store.names.all()
    if all(
        row.facts.get("id") != image.id and row.target.digest != image.manifest.digest
        for row in rows
    ):
        keep_image(engine, image.manifest, image.config, parent=image.parent)


def begin(folder: str) -> int:
    """Make the container's folder; give its lock, held: without it nobody would be making it."""
    while True:
        os.makedirs(folder, 0o711, exist_ok=True)
        with suppress(FileNotFoundError, BlockingIOError):  # a sweep saw it before it was locked
            lock = hold(f"{folder}/lock")
            if os.path.isdir(folder):
                return lock
            os.close(lock)


def take_back(engine: "Engine", container: str, folder: str, name: str) -> None:
    """Remove what there is of a container that is not finished; its lock is held."""
    from lamina.errors import LaminaError
    from lamina.stream.files import remove_tree

    with suppress(LaminaError, OSError):
        engine.snapshotter.remove(container)
    with suppress(LaminaError, OSError):
        remove_tree(folder)
    if name:
        engine.containers.register.free(name, container)


def _networks(engine: "Engine", request: CreateRequest) -> "Document":
    """Give the networks to join, by ID: a network may be named anew. Raises: NetworkUnknown."""
    found: Document = {}
    for endpoint in request.networks.endpoints or (Endpoint("bridge"),):
        mode = endpoint.network
        if mode.startswith("container:"):
            engine.containers.record(mode.partition(":")[2])
        elif mode.partition(":")[0] == "pasta":
            _refuse_pasta()
        elif not stands_alone(mode):
            from lamina.engine.network_addresses import check_places

            network = engine.networks.get(mode)
            if endpoint.ip or endpoint.ip6:
                from lamina.engine.network_addresses import check_places

                check_places(network, endpoint)
            for other in endpoint.links.values():
                _check_link(engine, other)
            found[network.id] = endpoint.to_json()
    return found


def _refuse_pasta() -> None:
    """Refuse pasta for root, whom it does not serve: it lets go of root's rights first. Raises: Invalid."""
    from lamina.runtime import userns

    if os.geteuid() == 0 and userns.rootless_uid() is None:
        raise Invalid(
            "pasta networking is only supported for rootless mode", hint="as root, use a bridge"
        )


def _check_link(engine: "Engine", other: str) -> None:
    """Refuse a link to what is not there. Raises: Invalid."""
    from lamina.errors import NotFound

    try:
        engine.containers.record(other)
    except NotFound as error:
        raise Invalid(f"could not get container for {other}: {error.message}") from error


def _refuse_reserved(request: CreateRequest) -> None:
    targets = [mount.target for mount in request.mounts] + list(request.tmpfs)
    for target in targets:
        if target.rstrip("/") in ("", "/proc", "/sys", "/dev"):
            raise MountInvalid(f"invalid mount: {target!r} belongs to the runtime")
    doubled = {target for target in targets if targets.count(target) > 1}
    if doubled:
        raise MountInvalid(f"Duplicate mount point: {min(doubled)}")
