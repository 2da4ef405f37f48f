"""The engine: one object that holds the parts together, each made on first use.

Cheap to make: nothing is opened before it is needed. State on disk is the truth, so several
engines (and several processes) may work on one root at once.
"""

from functools import cached_property

from lamina.settings import Settings
from lamina.stream.files import unlimited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from lamina.engine.captured import OnCaptured
    from lamina.engine.containers import Containers
    from lamina.engine.images import Images
    from lamina.engine.networks import Networks
    from lamina.engine.system import System
    from lamina.engine.volume_shelf import Volumes
    from lamina.events import Event, Listener, Witness
    from lamina.image.place import Place
    from lamina.remote.client import Client
    from lamina.snapshot.layers import Layers
    from lamina.snapshot.snapshotter import Snapshotter
    from lamina.spec.digest import Digest
    from lamina.spec.platform import Platform
    from lamina.store.store import Store
    from lamina.stream.codec import Compression

__all__ = ["Engine"]


class Engine:
    """Images and containers of one root folder.

    >>> with Engine() as engine:                                   # doctest: +SKIP
    ...     engine.images.pull("debian:12")
    ...     engine.images.history("debian:12")
    """

    def __init__(self, settings: Settings | None = None, *, expendable: bool = False) -> None:
        """Take the settings of the environment unless others are given.

        `expendable` says that this process is ours alone: containers may be started by a copy of it.
        """
        self.settings = settings or Settings.from_environment()
        self.expendable = expendable
        self.witness: Witness | None = None
        """Hears of every deed from now on, from any thread; to be set before the first one."""

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of open connections. The engine may be used again."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def enter_namespace(self) -> None:
        """Become root of a user namespace where one is a plain user, as containers and layers need.

        Methods do so themselves; but the kernel lets only a process with one thread in. A program
        with threads calls this first. Root stays root. Raises: NamespaceRefused.
        """
        from lamina.runtime.userns import enter

        enter()

    def abort(self) -> None:
        """Cut open connections, so that transfers in other threads fail at once.

        The engine may be used again: it connects anew.
        """
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.abort()

    @cached_property
    def store(self) -> "Store":
        """Blobs and names. Raises: Unavailable (the root cannot be made or read)."""
        from lamina.store.store import Store

        return Store.open(self.settings.root, self._spend)

    @cached_property
    def layers(self) -> "Layers":
        """The sealed layers."""
        from lamina.snapshot.layers import Layers

        return Layers(self.settings.root, self._remake, self._spend, self._pin)

    def _pin(self, digest: "Digest") -> None:
        self.store.pin(digest)

    @cached_property
    def _spend(self) -> "Callable[[int], None]":
        """Give what is asked before bytes are written; without a quota everything goes."""
        if not self.settings.quota:
            return unlimited
        from functools import partial

        from lamina.engine.quota import Budget, used
        from lamina.engine.room import make_room

        return Budget(self.settings.quota, partial(used, self), partial(make_room, self)).spend

    def _remake(self, pile: "Sequence[Digest]") -> None:
        from lamina.engine.mend import remake

        remake(self, tuple(pile))

    @cached_property
    def snapshotter(self) -> "Snapshotter":
        """The driver that serves this machine, chosen by probing it."""
        from lamina.snapshot.choose import choose

        return choose(self.settings, self.layers)

    def place(self, *, unpack: bool = True) -> "Place":
        """Say where images that come in go; with `unpack` they are ready to run when they are there.

        Not for a plain user outside a namespace: there files would get the wrong owners.
        """
        import os
        from functools import partial

        from lamina.engine.room import need
        from lamina.image.place import Place

        ready = self.snapshotter.ready if unpack and os.geteuid() == 0 else None
        room = partial(need, self)
        return Place(self.store.blobs, self.layers, self.settings.layer_workers, ready, room)

    @cached_property
    def client(self) -> "Client":
        """Connections and credentials for registries."""
        from lamina.remote.client import Client

        return Client(self.settings, witness=self.witness)

    def warnings(self) -> tuple[str, ...]:
        """Give what registries warned of since the connections were opened, in words for people."""
        client = self.__dict__.get("client")
        return tuple(client.warnings) if client is not None else ()

    def heard(self, listener: "Listener") -> "Listener":
        """Give what tells `listener` of an event, and the witness where there is one."""
        witness = self.witness
        if witness is None:
            return listener

        def tell(event: "Event") -> None:
            listener(event)
            witness(event)

        return tell

    @cached_property
    def platform(self) -> "Platform":
        """What runs on this machine."""
        import os

        from lamina.spec.platform import Platform

        return Platform.from_machine(os.uname().machine)

    @cached_property
    def networks(self) -> "Networks":
        """The networks that containers join."""
        from lamina.engine.networks import Networks

        return Networks(self)

    @cached_property
    def images(self) -> "Images":
        """Everything done with images."""
        from lamina.engine.images import Images

        return Images(self)

    @cached_property
    def containers(self) -> "Containers":
        """Everything done with containers."""
        from lamina.engine.containers import Containers

        return Containers(self)

    @cached_property
    def volumes(self) -> "Volumes":
        """Everything done with volumes."""
        from lamina.engine.volume_shelf import Volumes

        return Volumes(self)

    @cached_property
    def system(self) -> "System":
        """Disk use and facts about this machine."""
        from lamina.engine.system import System

        return System(self)

    def commit(
        self,
        container: str,
        name: str = "",
        *,
        message: str = "",
        author: str = "",
        changes: "Sequence[str]" = (),
        pause: bool = True,
        compression: "Compression | None" = None,
        listener: "Listener | None" = None,
        told: "OnCaptured | None" = None,
        strict: bool = False,
        volumes: bool = False,
        squash: bool = False,
        form: str = "oci",
    ) -> "Digest":
        """Write a container's changes as one new layer; give the new image's ID.

        `compression` packs the layer's blob (gzip at level 1 when None). See `lamina.engine.commit`.
        `told` gets a report of it; `strict` makes no image of what people regret; `volumes` takes
        along what the container's volumes hold; `squash` makes one layer of everything.
        Raises: NotFound, ReferenceInvalid, ChangeInvalid, CommitRefused.
        """
        from lamina.engine.commit import commit
        from lamina.engine.room import with_room

        return with_room(
            self,
            lambda: commit(
                self,
                container,
                name,
                message=message,
                author=author,
                changes=changes,
                pause=pause,
                compression=compression,
                listener=listener,
                told=told,
                strict=strict,
                volumes=volumes,
                squash=squash,
                form=form,
            ),
        )
