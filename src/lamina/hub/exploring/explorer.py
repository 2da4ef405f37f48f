"""Looking into the images that were pushed, one at a time in each process of a hub.

A manifest waits by a time in its row; whoever takes it moves that on while it works, so another goes
on where this one dies. What is found goes into the image's repository as an artifact attached to it,
written by nobody: no webhook, no audit, no pull. It goes as the image goes.
"""

import fcntl
import logging
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from lamina.errors import Invalid, LaminaError, NotFound, Unavailable, Unsupported
from lamina.hub.database import Connection, Database
from lamina.hub.errors import QuotaExceeded
from lamina.hub.exploring.look import LEASE_S, Gone, Look, Places, check_room
from lamina.hub.exploring.processes import Later, Refused, Shortage, shortage
from lamina.hub.exploring.shelf import Shelf
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import explorations
from lamina.hub.tables.explorations import Job
from lamina.spec.descriptor import MediaType
from lamina.spec.manifest import Manifest, parse_manifest

__all__ = ["Explorer"]

_LOGGER = logging.getLogger("lamina.hub")
_RENEW_EVERY = 20  # calls, about a second each
_TRIES = 3
_LOG_HAS_MORE = "the hub could not do it; its log has more"
_AGAIN_S = 60.0
_LONGEST_S = 3600.0
_MOST_LAYERS = 600
_TURNS_S = 86400.0


class Explorer:
    """Looks into images of one hub. `begin_due` from any thread; `close` ends what runs."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        clock: Callable[[], float],
        root: str,
        limit: int,
    ) -> None:
        self._root = root
        folder = os.path.join(root, "exploring")
        self.places = Places(database, storage, Shelf(os.path.join(folder, "shelf")), clock)
        self._jobs = os.path.join(folder, "jobs")
        self._limit = limit
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._owed: list[Callable[[Connection], None]] = []

    @property
    def is_on(self) -> bool:
        """Tell whether this hub looks into images at all."""
        return bool(self._limit)

    @property
    def lacks(self) -> str:
        """Say what this machine has too little of to look into anything; empty while it has enough."""
        try:
            check_room(self._root)
        except FileNotFoundError:  # a replica's own folder, which the first look makes
            return ""
        except Shortage as error:
            return error.message
        return ""

    def begin_due(self) -> bool:
        """Have a thread look into what waits, unless one does; tell whether it began."""
        places, now = self.places, self.places.clock()
        if (
            not self.is_on
            or self.lacks
            or not places.database.read(
                lambda connection: explorations.any_due(connection, now=now)
            )
        ):
            return False
        with self._guard:
            if self._stopped.is_set() or (self._thread is not None and self._thread.is_alive()):
                return False
            self._thread = threading.Thread(target=self._run, name="hub-explorer", daemon=True)
            self._thread.start()
        return True

    def look_at_due(self) -> int:
        """Look into everything that waits now, in this thread; give how many manifests that were.

        Where the machine lacks something it ends: what waits is for whoever has enough.
        """
        count = 0
        is_well = not self.lacks
        while self._owed:  # by a look of which nothing could be noted
            self.places.database.write(self._owed[-1])
            self._owed.pop()
        while is_well and not self._stopped.is_set() and (job := self._claim()) is not None:
            is_well = self._do(job)
            count += 1
        return count

    def look_again(self, manifest_id: int) -> None:
        """Have an image looked into as if it was new."""
        self.places.database.write(
            lambda connection: explorations.look_again(connection, manifest_id)
        )

    def close(self) -> None:
        """End what runs; the next process goes on with it. Blocks for about a second."""
        self._stopped.set()
        with self._guard:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            self._clear()
            before = self.places.clock() - _TURNS_S
            self.places.database.write(
                lambda connection: explorations.forget_turns(connection, before=before), alone=False
            )
            self.look_at_due()
        except Exception:
            _LOGGER.exception("looking into images failed; tried again")

    def _claim(self) -> Job | None:
        """Take what is due next, whoever else does so meanwhile; None: nothing is."""
        worker = str(uuid.uuid4())
        while True:
            found = self.places.database.read(
                lambda connection: explorations.next_due(connection, now=self.places.clock())
            )
            if found is None or self._stopped.is_set():
                return None
            if (job := self._take(found, worker)) is not None:
                return job

    def _take(self, manifest_id: int, worker: str) -> Job | None:
        now = self.places.clock()
        return self.places.database.write(
            lambda connection: explorations.claim(
                connection, manifest_id, worker, now=now, until=now + LEASE_S
            )
        )

    def _do(self, job: Job) -> bool:
        """Look into one manifest, and note what was found or why nothing was; False: the machine's fault.

        What is noted stands on the image's page: quotas, paths and servers stay in the log.
        """
        try:
            self._try(job)
        except Shortage as error:
            return self._wait(job, error.message)
        except Unavailable as error:
            _LOGGER.warning("looking into %s@%s waits: %s", job.name, job.digest, error.message)
            return self._wait(job, "the hub's database or storage does not answer")
        except MemoryError:
            return self._wait(job, "the hub's machine has no memory left")
        except OSError as error:
            _LOGGER.warning("looking into %s@%s failed: %s", job.name, job.digest, error)
            short = shortage(error)
            if short is not None:
                return self._wait(job, short.message)
            self._note_later(job, _LOG_HAS_MORE)
        return True

    def _try(self, job: Job) -> None:
        """Look into one manifest. Raises: Shortage, Unavailable, OSError, MemoryError."""
        write = self.places.database.write
        try:
            self._look(job)
        except Gone:
            if self._stopped.is_set():
                write(lambda connection: explorations.release(connection, job))
        except QuotaExceeded as error:
            _LOGGER.info("%s: %s", job.name, error.message)
            self._note(job, "the quota has no room for what was found", until=None)
        except (Refused, Invalid, NotFound, Unsupported) as error:
            self._note(job, error.message, until=None)  # another try would end as this one did
        except Later as error:
            self._note_later(job, error.message)
        except Unavailable:
            raise
        except LaminaError as error:
            _LOGGER.warning("looking into %s@%s failed: %s", job.name, job.digest, error.message)
            self._note_later(job, _LOG_HAS_MORE)

    def _wait(self, job: Job, trouble: str) -> bool:
        """Put an image off for longer each time, without counting it as a try; give False."""
        now = self.places.clock()
        until = now + min(_AGAIN_S * 2.0 ** min(job.waits, 9), _LONGEST_S)

        def note(connection: Connection) -> None:
            explorations.wait(connection, job, trouble, now=now, until=until)

        try:
            self.places.database.write(note)
        except Unavailable:  # it may lie on the very disk that is full
            self._owed.append(note)
        return False

    def _note_later(self, job: Job, trouble: str) -> None:
        is_last = job.tries >= _TRIES
        until = None if is_last else self.places.clock() + _AGAIN_S * 4**job.tries
        self._note(job, trouble, until=until)

    def _look(self, job: Job) -> None:
        image = self._image(job)
        if image is None:
            self.places.database.write(lambda connection: explorations.drop(connection, job))
            return
        if job.tries > _TRIES:
            raise Refused("it was begun three times, and the hub went down each time")
        with self._job_folder() as folder:
            goes_on = _Watch(partial(self._check, job))
            Look(self.places, job, folder, limit=self._limit, goes_on=goes_on).run(image)

    def _note(self, job: Job, trouble: str, *, until: float | None) -> None:
        now = self.places.clock()
        self.places.database.write(
            lambda connection: explorations.postpone(connection, job, trouble, now=now, until=until)
        )

    def _image(self, job: Job) -> Manifest | None:
        """Read the manifest; None: it is no image. Raises: Invalid, Refused."""
        document = parse_manifest(job.raw, job.media_type)
        if (
            not isinstance(document, Manifest)
            or document.artifact_type
            or document.config.media_type not in MediaType.CONFIGS
        ):
            return None
        if len(document.layers) > _MOST_LAYERS:
            raise Refused(f"it has {len(document.layers)} layers; {_MOST_LAYERS} are looked into")
        packed = sum(layer.size for layer in document.layers)
        if packed > self._limit:
            raise Refused(f"too large: {packed} bytes, and {self._limit} are looked into")
        if any(layer.urls for layer in document.layers):
            raise Refused("some of its layers are kept elsewhere")
        return document

    @contextmanager
    def _job_folder(self) -> Iterator[str]:
        """Give a folder that is removed afterwards: by us, or where we are killed by `_clear`."""
        folder = os.path.join(self._jobs, str(uuid.uuid4()))
        os.makedirs(folder, mode=0o700)
        with open(os.path.join(folder, "lock"), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _clear(self) -> None:
        """Remove the folders of processes that died."""
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._jobs):
                with suppress(OSError), open(os.path.join(entry.path, "lock"), "ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(entry.path, ignore_errors=True)

    def _check(self, job: Job, *, is_long: bool) -> None:
        """Keep a job, after a while for longer. Raises: Gone."""
        if self._stopped.is_set():
            raise Gone("the hub is stopping")
        until = self.places.clock() + LEASE_S
        if is_long and not self.places.database.write(
            lambda connection: explorations.renew(connection, job, until=until), alone=False
        ):
            raise Gone("the image is gone, or another's")


class _Watch:
    """Called again and again while a worker works: ends it where nobody wants its answer any more."""

    def __init__(self, check: "Callable[..., None]") -> None:
        self._check = check
        self._calls = 0

    def __call__(self) -> None:
        self._calls += 1
        self._check(is_long=self._calls % _RENEW_EVERY == 0)
