"""Blobs on their way to one repository: asked for all at once, sent several at once.

What is asked costs a round trip and no bytes, so many ask at the same time; of large blobs only a few
travel together, because they share one line.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from threading import Thread

from lamina.engine.sessions import Sessions
from lamina.errors import Denied, Invalid, NotFound, Unsupported
from lamina.events import LayerProgress, Listener, Phase
from lamina.remote.growing import Growing
from lamina.remote.uploads import UploadResult
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.engine.engine import Engine
    from lamina.remote.repository import Repository
    from lamina.remote.uploads import UploadOutcome
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest

__all__ = ["Parcel", "Sender"]

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")
_REPORT_EVERY = 512 * 1024
_AT_ONCE = 16
_LARGE = 1024 * 1024
_IN_MEMORY = 4 * 1024 * 1024

Make = Callable[[Callable[[bytes], object]], "Descriptor"]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One blob to be there in the end.

    `wanted` is None for a blob that `make` has to write first; with both it is what `make` is
    expected to give. `shown` is what listeners know it by, empty for what nobody watches; `homes`
    are repositories to mount it from, `size` the bytes at hand (plain ones where it is made).
    """

    wanted: "Descriptor | None"
    shown: str
    size: int
    homes: Sequence[str] = ()
    make: Make | None = None


@dataclass(slots=True)
class Sender:
    """Sends to one repository. What it found or brought there once it does not ask for again."""

    engine: "Engine"
    repository: "Repository"
    listener: Listener
    _there: "set[Digest]" = field(default_factory=set)

    def send(self, parcels: Sequence[Parcel]) -> "list[Descriptor]":
        """Bring every blob there; give what each became, in their order.

        Raises: what uploads raise; then every transfer under way has been cut.
        """
        for parcel in parcels:
            self._tell(parcel, Phase.PREPARING)
        quick = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="push")
        large = ThreadPoolExecutor(self.engine.settings.layer_workers, thread_name_prefix="push")
        try:
            lacking = self._lacking(quick, parcels)
            tasks: list[Future[Descriptor | None]] = [
                (large if parcel.size >= _LARGE else quick).submit(self._one, parcel)
                if is_lacking
                else _settled(parcel.wanted)
                for parcel, is_lacking in zip(parcels, lacking, strict=True)
            ]
            return [found for found in _results(tasks) if found is not None]
        except BaseException:
            self.engine.abort()  # or a thread that waits for a silent server would hold us up
            raise
        finally:
            quick.shutdown(wait=True, cancel_futures=True)
            large.shutdown(wait=True, cancel_futures=True)

    def _lacking(self, pool: ThreadPoolExecutor, parcels: Sequence[Parcel]) -> list[bool]:
        """Ask for each blob; the first alone, so that one login serves all that follow."""
        tasks: list[Future[bool]] = []
        asked: set[Digest] = set()
        for parcel in parcels:
            digest = parcel.wanted.digest if parcel.wanted else None
            again = digest is not None and (digest in self._there or digest in asked)
            if digest is None or again:  # the same layer twice in one image, or in another tag's
                if again:
                    self._tell(parcel, Phase.PRESENT)
                tasks.append(_settled(not again))
                continue
            asked.add(digest)
            tasks.append(pool.submit(self._is_lacking, parcel, digest))
            if len(asked) == 1:
                _results(tasks)
        return _results(tasks)

    def _is_lacking(self, parcel: Parcel, digest: "Digest") -> bool:
        if not self.repository.holds(digest):
            return True
        self._there.add(digest)
        self._tell(parcel, Phase.PRESENT)
        return False

    def _one(self, parcel: Parcel) -> "Descriptor | None":
        """Bring one blob there that is not."""
        wanted = parcel.wanted
        if parcel.make is not None:
            if wanted is not None and self._mount(parcel, wanted):
                return wanted
            return self._make(parcel, parcel.make)
        assert wanted is not None  # noqa: S101 - only a parcel that is made has no digest
        blobs = self.engine.store.blobs
        return self._upload(parcel, wanted, lambda: blobs.open(wanted.digest))

    def _upload(
        self,
        parcel: Parcel,
        wanted: "Descriptor",
        body: "Callable[[], BinaryIO]",
        *,
        look: bool = False,
    ) -> "Descriptor":
        """Send a blob that is whole here; a large one so that another process could go on with it."""
        place = f"{self.repository.registry}/{self.repository.repository}"
        sessions = Sessions(self.engine.store.disk.uploads)
        large = wanted.size >= _LARGE
        with sessions.of(place, wanted.digest) if large else nullcontext() as session:
            outcome = self.repository.upload(
                wanted,
                body,
                mount_from=parcel.homes,
                progress=self._progress(parcel),
                session=session.address if session else "",
                started=session.note if session else None,
                look=look or bool(session and session.waited),
            )
        return self._arrived(parcel, wanted, outcome)

    def _mount(self, parcel: Parcel, wanted: "Descriptor") -> bool:
        """Mount what would have to be made first."""
        for home in parcel.homes:
            if self.repository.mount(wanted.digest, home):
                self._there.add(wanted.digest)
                self._tell(parcel, Phase.MOUNTED, home)
                return True
        return False

    def _make(self, parcel: Parcel, make: Make) -> "Descriptor":
        """Make a blob and send it meanwhile; a small one is made first, as then nothing is waited for."""
        if parcel.size <= _IN_MEMORY:
            pieces: list[bytes] = []
            made = make(pieces.append)
            data = b"".join(pieces)
            return self._upload(parcel, made, lambda: io.BytesIO(data), look=True)
        from tempfile import TemporaryFile

        with TemporaryFile(dir=self.engine.store.disk.uploads, buffering=0) as file:
            growing = Growing(file.fileno())
            maker = Thread(target=growing.fill, args=(lambda: make(growing.write),), name="pack")
            maker.start()
            try:
                self.repository.upload_growing(growing, progress=self._progress(parcel))
            except (Invalid, NotFound, Unsupported, Denied):
                # A registry that takes no blob in several requests; refusals that mean
                # something else are repeated by this one.
                made = growing.made()
                return self._upload(parcel, made, growing.open, look=True)
            finally:
                growing.stop()
                maker.join()
            made = growing.made()
        self._there.add(made.digest)
        self._tell(parcel, Phase.PUSHED)
        return made

    def _arrived(
        self, parcel: Parcel, wanted: "Descriptor", outcome: "UploadOutcome"
    ) -> "Descriptor":
        self._there.add(wanted.digest)
        if outcome.mounted_from:
            self._tell(parcel, Phase.MOUNTED, outcome.mounted_from)
        else:
            existed = outcome.result is UploadResult.EXISTS
            self._tell(parcel, Phase.PRESENT if existed else Phase.PUSHED)
        return wanted

    def _progress(self, parcel: Parcel) -> Callable[[int], None]:
        told = 0
        total = parcel.wanted.size if parcel.wanted else parcel.size

        def progress(count: int) -> None:
            nonlocal told
            if parcel.shown and (count - told >= _REPORT_EVERY or count in (0, total)):
                told = count
                event = LayerProgress(parcel.shown, Phase.PUSHING, count, max(total, count))
                self.listener(event)

        return progress

    def _tell(self, parcel: Parcel, phase: Phase, detail: str = "") -> None:
        if parcel.shown:
            self.listener(LayerProgress(parcel.shown, phase, detail=detail))


def _settled(outcome: "T") -> "Future[T]":
    """Give a task that is done."""
    task: Future[T] = Future()
    task.set_result(outcome)
    return task


def _results(tasks: "Iterable[Future[T]]") -> "list[T]":
    """Wait for all, or for the first that fails; give the results in order."""
    rows = list(tasks)
    done, _ = wait(rows, return_when=FIRST_EXCEPTION)
    for task in done:
        task.result()
    return [task.result() for task in rows]
