"""The hub's log as lines of JSON on standard error, written by a thread of its own.

A reader that stops reading fills the queue and costs lines, never the hub its loop. No line holds a
query, a header of authorisation or a body: passwords and tokens travel there.
"""

import contextlib
import datetime as dt
import logging
import queue
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from logging.handlers import QueueHandler, QueueListener
from typing import TextIO

from lamina.spec.wire import encode

__all__ = ["ACCOUNT", "REQUEST_ID", "json_lines", "log_request", "logs_requests"]

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being answered; empty outside one."""
ACCOUNT: ContextVar[str] = ContextVar("account", default="")
"""Who asks, once that is known; empty for nobody."""
_NAME = "lamina.hub"
_REQUESTS = logging.getLogger("lamina.hub.requests")
_QUEUED = 10_000


def log_request(fields: dict[str, object]) -> None:
    """Write one line about a request."""
    _REQUESTS.info("request", extra={"fields": fields})


def logs_requests() -> bool:
    """Tell whether anyone reads `log_request`'s lines; without `json_lines` nobody does."""
    return _REQUESTS.isEnabledFor(logging.INFO)


@contextlib.contextmanager
def json_lines(stream: TextIO | None = None) -> Iterator[None]:
    """Write what the hub logs to `stream` (stderr) while the context lasts; at its end all of it."""
    output = logging.StreamHandler(stream or sys.stderr)
    output.setFormatter(_Lines())
    waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(_QUEUED)
    handler = _Queueing(waiting)
    handler.addFilter(_note_request)
    listener = _Listening(waiting, output)
    logger = logging.getLogger(_NAME)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    listener.start()
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        listener.stop()


def _note_request(record: logging.LogRecord) -> bool:
    """Keep the id with the record: who formats it runs elsewhere."""
    record.request_id = REQUEST_ID.get()
    return True


class _Queueing(QueueHandler):
    """Puts records into the queue as they are; drops them when it is full."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Make text of an exception here, where it is at hand."""
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        record.msg, record.args = record.getMessage(), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            super().enqueue(record)


class _Listening(QueueListener):
    """Takes records out; its end waits for room in the queue, and for all before it to be written."""

    def __init__(
        self, records: "queue.Queue[logging.LogRecord | None]", output: logging.Handler
    ) -> None:
        super().__init__(records, output)
        self._records = records

    def enqueue_sentinel(self) -> None:
        self._records.put(None)


class _Lines(logging.Formatter):
    """One record, one line of JSON: `time` (UTC), `level`, `logger`, `message`, then what is known."""

    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = getattr(record, "request_id", "")
        if request_id:
            line["request_id"] = request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_text:
            line["error"] = record.exc_text
        return encode(line).decode()
