"""The log as lines of JSON."""

import io
import logging
import queue

from lamina.hub.logs import REQUEST_ID, json_lines, log_request, logs_requests
from lamina.spec.wire import decode

LOGGER = logging.getLogger("lamina.hub")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [decode(line) for line in stream.getvalue().splitlines()]


def test_each_event_is_one_line_whatever_is_in_it():
    stream = io.StringIO()
    with json_lines(stream):
        LOGGER.info("a line\nthat %s", '"breaks"\x1b[31m')
    (line,) = lines(stream)
    assert line["message"] == 'a line\nthat "breaks"\x1b[31m'
    assert (line["level"], line["logger"]) == ("info", "lamina.hub")
    assert str(line["time"]).endswith("Z")
    assert "\x1b" not in stream.getvalue()


def test_an_error_brings_its_traceback_and_the_request_it_belongs_to():
    stream = io.StringIO()
    with json_lines(stream):
        token = REQUEST_ID.set("abc")
        try:
            int("what failed")
        except ValueError:
            LOGGER.exception("it failed")
        finally:
            REQUEST_ID.reset(token)
        LOGGER.warning("outside")
    first, second = lines(stream)
    assert (first["request_id"], first["level"]) == ("abc", "error")
    assert str(first["error"]).endswith("'what failed'")
    assert "request_id" not in second


def test_requests_are_logged_only_while_someone_reads():
    assert not logs_requests()
    stream = io.StringIO()
    with json_lines(stream):
        assert logs_requests()
        log_request({"status": 200})
    assert not logs_requests()
    assert [line["status"] for line in lines(stream)] == [200]


def test_a_reader_that_stops_costs_lines_and_nothing_else(monkeypatch):
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            taken.get()
            return super().write(text)

    taken: queue.Queue[None] = queue.Queue()
    monkeypatch.setattr("lamina.hub.logs._QUEUED", 5)
    stream = Stuck()
    with json_lines(stream):
        for number in range(100):
            LOGGER.info("%d", number)
        for _ in range(100):
            taken.put(None)
    told = [line["message"] for line in lines(stream)]
    assert 5 <= len(told) <= 7
    assert told[0] == "0"
