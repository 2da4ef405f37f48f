"""A hub that runs: in this process on a thread (`Hub`), or as the whole process (`serve`)."""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from lamina.errors import Unavailable
from lamina.hub.app import create_app, create_metrics_app
from lamina.hub.certificate import CertificateInvalid, read_certificate, renew_certificate
from lamina.hub.collect import Collected
from lamina.hub.front import Desk, Front
from lamina.hub.logs import json_lines
from lamina.hub.remembered import Answers
from lamina.hub.services import Services
from lamina.hub.settings import HubSettings, split_address, strange
from lamina.hub.silence import Silence
from lamina.hub.tables.accounts import Account
from lamina.hub.underway import Underway
from lamina.hub.web import SERVICES

if TYPE_CHECKING:
    import ssl
    from tempfile import TemporaryDirectory

__all__ = ["AddressUnavailable", "Hub", "serve"]

_LOGGER = logging.getLogger("lamina.hub")
_TURNS = 5
_READ_BUFFER = 1024 * 1024
_LAST_WORDS_S = 1.0  # for answers that are ready and not yet sent
_KEEP_ALIVE_S = 100.0  # longer than Go's clients keep theirs: they would meet a closed one else


class AddressUnavailable(Unavailable):
    """The hub cannot listen where it was told to."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A hub that listens; `metrics_port` is 0 where metrics have no address of their own."""

    services: Services
    port: int
    metrics_port: int
    context: "ssl.SSLContext | None"


def serve(settings: HubSettings, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then let transfers finish; `ready` gets the URL once.

    With a certificate, SIGHUP reads it again. While `drain_s` lasts after the first signal the hub
    serves on and says that it is not ready; a second signal ends that.
    Raises: AddressUnavailable, CertificateInvalid.
    """

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with _listening(settings) as running:
            if running.context is not None:
                loop.add_signal_handler(signal.SIGHUP, _renew, running.context, settings)
            ready(_url(settings, running.port))
            _LOGGER.info("ready at %s", _url(settings, running.port))
            for name in settings.strange:
                _LOGGER.warning("%s: %s", *strange(name))
            await stop.wait()
            _LOGGER.info("stopping")
            running.services.readiness.is_stopping = True
            stop.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), settings.drain_s)

    with json_lines() if settings.log == "json" else contextlib.nullcontext():
        asyncio.run(run())


def _renew(context: "ssl.SSLContext", settings: HubSettings) -> None:
    """Take the certificate that lies there now; keep the old one where the new one is none."""
    try:
        renew_certificate(context, settings)
    except CertificateInvalid as error:
        _LOGGER.error("the old certificate stays: %s (%s)", error.message, error.hint)  # noqa: TRY400 - said in full
    else:
        _LOGGER.info("the certificate was read again")


@contextlib.asynccontextmanager
async def _listening(settings: HubSettings) -> AsyncIterator[_Running]:
    """Serve while the context lasts."""
    logger = logging.getLogger("lamina.hub.http")
    logger.addFilter(_is_worth_telling)
    context = read_certificate(settings)
    services = Services.open(settings)
    try:
        async with contextlib.AsyncExitStack() as listeners:
            metrics_port = 0
            if settings.metrics:
                app, place = create_metrics_app(services), split_address(settings.metrics)
                metrics_port = await listeners.enter_async_context(_served(app, settings, place))
            app, place = create_app(services), (settings.host, settings.port)
            port = await listeners.enter_async_context(_served(app, settings, place, context))
            yield _Running(services, port, metrics_port, context)
    finally:
        services.close()


@contextlib.asynccontextmanager
async def _served(
    app: web.Application,
    settings: HubSettings,
    address: tuple[str, int],
    context: "ssl.SSLContext | None" = None,
) -> AsyncIterator[int]:
    """Serve one application at one address while the context lasts; give the port."""
    silence, underway = Silence(patience_s=settings.first_request_s), Underway()
    app.middlewares.extend((silence.heard, underway.counted))
    options: dict[str, Any] = {
        "access_log": None,
        "logger": logging.getLogger("lamina.hub.http"),
        "auto_decompress": False,  # a blob's digest is of the bytes as sent
        "keepalive_timeout": _KEEP_ALIVE_S,
        "read_bufsize": _READ_BUFFER,
    }
    runner = web.AppRunner(
        app,
        handle_signals=False,
        shutdown_timeout=min(settings.shutdown_s, _LAST_WORDS_S),
        **options,
    )
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - `setup` has made it
    services = app[SERVICES]
    answers = Answers(services.version, clock=services.clock)
    desk = Desk(services, answers, silence, underway, services.intake)
    loop = asyncio.get_running_loop()

    def connection() -> Front:
        return Front(server, desk, loop=loop, options=options)

    try:
        async with _accepting(silence.watch(connection), address, context) as port:
            yield port
    finally:
        silence.end()
        await underway.finish(timeout_s=settings.shutdown_s)
        await _hang_up(runner)


@contextlib.asynccontextmanager
async def _accepting(
    make: Callable[[], asyncio.Protocol],
    address: tuple[str, int],
    context: "ssl.SSLContext | None",
) -> AsyncIterator[int]:
    """Take connections while the context lasts; give the port. Raises: AddressUnavailable.

    asyncio makes a connection of an accepted socket in a few turns of its loop, and loses those
    whose server is closed meanwhile; so at the end they get their turns first.
    """
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(make, *address, ssl=context, backlog=1024)
    except OSError as error:
        raise AddressUnavailable(
            f"cannot listen on {address[0]}:{address[1]}: {error.strerror or error}",
            hint="another program may listen there; choose another with --address HOST:PORT",
        ) from error
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
        await _turns()
        server.close()


async def _hang_up(runner: web.AppRunner) -> None:
    """Let requests finish, then close every connection, whether or not its client says goodbye."""
    server = runner.server
    transports = [each.transport for each in server.connections] if server is not None else []
    await runner.cleanup()
    for transport in transports:
        if transport is not None:
            transport.abort()
    await _turns()


async def _turns() -> None:
    """Have everything done that the loop has been told to do soon."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Leave out what clients do to us: broken requests and connections that went away."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (ConnectionError, web.HTTPException)) and not (
        type(error).__module__.startswith("aiohttp.")
    )


def _url(settings: HubSettings, port: int) -> str:
    scheme = "https" if settings.certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{port}"


class Hub:
    """A hub inside this process, on a thread with a loop of its own.

        with Hub() as hub:
            hub.register("alice", "correct horse battery")
            ...  # push to f"{hub.address}/alice/app:v1"

    Without `root` its folder is temporary and goes when the hub stops. `port` 0 takes a free one.
    `settings` wins over `root`, `host` and `port`.
    """

    def __init__(
        self,
        root: str = "",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        settings: HubSettings | None = None,
    ) -> None:
        self._temporary: TemporaryDirectory[str] | None = None
        if settings is None:
            if not root:
                import tempfile

                self._temporary = tempfile.TemporaryDirectory(prefix="lamina-hub-")
                root = self._temporary.name
            settings = HubSettings(root=root, host=host, port=port, shutdown_s=2.0)
        self.settings = settings
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._services: Services
        self._running: _Running
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; on return the hub answers. Raises: AddressUnavailable."""
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            self._remove_temporary()
            raise self._failure

    def stop(self) -> None:
        """Stop listening, let transfers finish, close everything."""
        if self._thread is None or not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._remove_temporary()
        if self._failure is not None:
            raise self._failure

    @property
    def address(self) -> str:
        """`127.0.0.1:41234`: what image names begin with."""
        return self.url.partition("://")[2]

    @property
    def url(self) -> str:
        """`http://127.0.0.1:41234`."""
        return _url(self.settings, self._port)

    @property
    def metrics_url(self) -> str:
        """Where Prometheus reads, with `metrics` in the settings: `http://127.0.0.1:9090/metrics`."""
        host = split_address(self.settings.metrics)[0]
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self._running.metrics_port}/metrics"

    @property
    def root(self) -> str:
        """The folder of the database and the blobs."""
        return self.settings.root

    @property
    def services(self) -> Services:
        """The parts inside, for tests and tools that look closer."""
        return self._services

    def register(self, name: str, password: str) -> Account:
        """Make an account; the first is the admin. Raises: FormInvalid, NameTaken."""
        return self._services.accounts.register(name, password)

    def collect(self, *, grace_s: float = 0.0, upload_grace_s: float = 86400.0) -> Collected:
        """Sweep garbage older than `grace_s` now; say what went."""
        return self._services.collector.sweep(grace_s=grace_s, upload_grace_s=upload_grace_s)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again where start or stop waits
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with _listening(self.settings) as running:
            self._running, self._services, self._port = running, running.services, running.port
            self._started.set()
            await self._stop.wait()

    def _remove_temporary(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
