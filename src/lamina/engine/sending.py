"""Blobs on their way to one repository: asked for all at once, sent several at once.

What is asked costs a round trip and no bytes, so many ask at the same time; of large blobs only a few
travel together, because they share one line.
"""

import io
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from threading import Thread

from lamina.errors import Denied, Invalid, NotFound, Unsupported
from lamina.events import LayerProgress, Listener, Phase
from lamina.image.jobs import Cancelled, Jobs, gather
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

_REPORT_EVERY = 512 * 1024
_AT_ONCE = 16
_LARGE = 1024 * 1024
_IN_MEMORY = 4 * 1024 * 1024

Make = Callable[[Callable[[bytes], object]], "Descriptor"]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One blob to be there in the end.

    `wanted` is None for a blob that `make` has to write first; with both it is what `make` is
    expected to give, `recipe` what it makes that of: the same words give the same bytes. `shown` is what listeners know it by, empty for what nobody watches; `homes`
    are repositories to mount it from, `size` the bytes at hand (plain ones where it is made).
    """

    wanted: "Descriptor | None"
    shown: str
    size: int
    homes: Sequence[str] = ()
    make: Make | None = None
    recipe: str = ""


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
        quick = Jobs(_AT_ONCE, name="push")
        large = Jobs(self.engine.settings.layer_workers, name="push")
        try:
            self.repository.warm(min(_AT_ONCE, len(parcels)) - 1)
            lacking = self._lacking(quick, parcels)
            made = gather(
                [
                    (large if parcel.size >= _LARGE else quick, partial(self._one, parcel))
                    for parcel, is_lacking in zip(parcels, lacking, strict=True)
                    if is_lacking
                ]
            )
        except BaseException:
            self.engine.abort()  # or a thread that waits for a silent server would hold us up
            raise
        finally:
            for jobs in (quick, large):
                jobs.close(Cancelled("the push was stopped"))
        left = iter(made)
        found = [
            next(left) if is_lacking else parcel.wanted
            for parcel, is_lacking in zip(parcels, lacking, strict=True)
        ]
        return [descriptor for descriptor in found if descriptor is not None]

    def _lacking(self, jobs: Jobs, parcels: Sequence[Parcel]) -> list[bool]:
        """Ask for each blob; the first alone where nobody knows yet how to log in, so that it is done once."""
        lacking = [True] * len(parcels)
        is_known = self.repository.has_login()
        asked: dict[Digest, int] = {}
        for number, parcel in enumerate(parcels):
            digest = parcel.wanted.digest if parcel.wanted else None
            if digest is None:
                continue
            if digest in self._there or digest in asked:  # twice in one image, or in another tag's
                self._tell(parcel, Phase.PRESENT)
                lacking[number] = False
                continue
            asked[digest] = number
            if len(asked) == 1 and not is_known:
                lacking[number] = self._is_lacking(parcel, digest)
        later = list(asked.items())[0 if is_known else 1 :]
        answers = gather(
            [(jobs, partial(self._is_lacking, parcels[number], digest)) for digest, number in later]
        )
        for (_, number), answer in zip(later, answers, strict=True):
            lacking[number] = answer
        return lacking

    def _is_lacking(self, parcel: Parcel, digest: "Digest") -> bool:
        if not self.repository.holds(digest):
            return True
        self._there.add(digest)
        self._tell(parcel, Phase.PRESENT)
        return False

    def _one(self, parcel: Parcel) -> "Descriptor":
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
        from lamina.engine.sessions import Sessions

        sessions = Sessions(self.engine.store.disk.uploads)
        large = wanted.size >= _LARGE
        with sessions.of(self._place, wanted.digest) if large else nullcontext() as session:
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

    @property
    def _place(self) -> str:
        return f"{self.repository.registry}/{self.repository.repository}"

    def _mount(self, parcel: Parcel, wanted: "Descriptor") -> bool:
        """Mount what would have to be made first."""
        for home in parcel.homes:
            if self.repository.mount(wanted.digest, home):
                self._there.add(wanted.digest)
                self._tell(parcel, Phase.MOUNTED, home)
                return True
        return False

    def _make(self, parcel: Parcel, make: Make) -> "Descriptor":
        """Make a blob and send it meanwhile; a small one is made first, as then nothing is waited for.

        After a kill it is made anew, and sent from where the registry stands: it comes out the same.
        """
        if parcel.size <= _IN_MEMORY:
            pieces: list[bytes] = []
            made = make(pieces.append)
            data = b"".join(pieces)
            return self._upload(parcel, made, lambda: io.BytesIO(data), look=True)
        from tempfile import TemporaryFile

        from lamina.engine.sessions import Sessions

        uploads = self.engine.store.disk.uploads
        with (
            TemporaryFile(dir=uploads, buffering=0) as file,
            Sessions(uploads).of(self._place, parcel.recipe) as session,
        ):
            growing = Growing(file.fileno())
            maker = Thread(target=growing.fill, args=(lambda: make(growing.write),), name="pack")
            maker.start()
            try:
                self.repository.upload_growing(
                    growing,
                    progress=self._progress(parcel),
                    session=session.address,
                    started=session.note,
                )
            except (Invalid, NotFound, Unsupported, Denied):
                # A registry that takes no blob in several requests; refusals that mean
                # something else are repeated by this one.
                session.address = ""
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
