import os
import socket
import subprocess
import threading
from contextlib import suppress

from tests.containers import eventually

from lamina.runtime.frames import Stream, frame, listen
from lamina.runtime.log import LogWriter
from lamina.runtime.log_reading import read_log
from lamina.runtime.process import Started
from lamina.runtime.relay import Client, Pipes, Relay


def serve(tmp_path, program: str, *, operate=None, stdin: bool = True, at_rest=None, room: int = 0):
    """Run `program` behind a relay; give our end of an attached connection and the thread.

    `room` is how much that connection holds, if not what the kernel thinks.
    """
    ours, theirs = socket.socketpair()
    if room:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    pipes = Pipes(terminal=False, stdin=stdin)
    child = subprocess.Popen(
        ["/bin/sh", "-c", program],
        stdin=pipes.theirs.stdin if stdin else subprocess.DEVNULL,
        stdout=pipes.theirs.stdout,
        stderr=pipes.theirs.stderr,
    )
    started = Started(child.pid, child.pid)
    pipes.started(started, stdin=stdin)
    relay = Relay(
        listen(f"{tmp_path}/s"),
        operate,
        log=LogWriter(f"{tmp_path}/log"),
        stdin_once=True,
        at_rest=at_rest,
    )
    client = Client(theirs)
    client.attach(frozenset(Stream))
    relay.add(client)

    def run() -> None:
        relay.run(pipes, started)
        relay.finish(frame(Stream.EXITED, b"%d" % child.wait()))
        relay.release()

    thread = threading.Thread(target=run)
    thread.start()
    return ours, thread


def collect(ours: socket.socket) -> dict[Stream, bytes]:
    from lamina.runtime.frames import split_frames

    got: dict[Stream, bytes] = {}
    buffer = bytearray()
    while Stream.EXITED not in got:
        data = ours.recv(65536)
        assert data
        buffer += data
        for stream, payload in split_frames(buffer):
            got[stream] = got.get(stream, b"") + payload
    return got


def test_what_can_wait_is_done_once_when_nothing_happens(tmp_path):
    rests: list[str] = []
    rested = threading.Event()

    def rest() -> None:
        rests.append("rest")
        rested.set()

    ours, thread = serve(tmp_path, "cat", at_rest=rest)
    assert rested.wait(60)
    ours.sendall(frame(Stream.STDIN, b"typed") + frame(Stream.STDIN, b""))
    assert collect(ours)[Stream.STDOUT] == b"typed"
    thread.join()
    assert rests == ["rest"]
    ours.close()


def test_what_is_typed_comes_back_and_is_logged(tmp_path):
    ours, thread = serve(tmp_path, "cat; echo err >&2; exit 3")
    ours.sendall(frame(Stream.STDIN, b"typed\n") + frame(Stream.STDIN, b""))
    got = collect(ours)
    thread.join()
    assert got == {Stream.STDOUT: b"typed\n", Stream.STDERR: b"err\n", Stream.EXITED: b"3"}
    assert [line.text for line in read_log(f"{tmp_path}/log")] == ["typed\n", "err\n"]
    ours.close()


def test_output_is_whole_however_slowly_it_is_read(tmp_path):
    ours, thread = serve(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; echo", stdin=False)
    got = collect(ours)
    thread.join()
    assert len(got[Stream.STDOUT]) == 3_000_001
    ours.close()


def test_a_lot_of_input_waits_for_its_reader(tmp_path):
    ours, thread = serve(tmp_path, "sleep 0.2; wc -c")
    for _ in range(100):
        ours.sendall(frame(Stream.STDIN, b"y" * 10_000))
    ours.sendall(frame(Stream.STDIN, b""))
    assert collect(ours)[Stream.STDOUT].strip() == b"1000000"
    thread.join()
    ours.close()


def test_who_asks_is_answered_while_input_waits_for_a_reader_that_never_comes(tmp_path):
    """`stop` of a container that reads nothing of the 100 MB piped into it."""
    from lamina.runtime.frames import connect, request

    wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    ours, thread = serve(tmp_path, wait, operate=lambda asked, _: (asked, ()))
    ours.settimeout(0.2)
    try:
        while True:
            ours.sendall(frame(Stream.STDIN, b"y" * 100_000))
    except TimeoutError:
        pass
    with connect(f"{tmp_path}/s") as other:
        other.settimeout(60)
        assert request(other, {"op": "stop"})[0] == {"op": "stop"}
    (tmp_path / "go").touch()
    ours.close()
    thread.join(timeout=100)
    assert not thread.is_alive()


def test_a_client_that_leaves_ends_the_input_it_gave(tmp_path):
    ours, thread = serve(tmp_path, "cat")
    ours.close()
    thread.join(timeout=100)
    assert not thread.is_alive()


def test_a_child_that_keeps_the_pipe_open_does_not_hold_the_end_back(tmp_path):
    ours, thread = serve(tmp_path, "sleep 3 & echo done", stdin=False)
    assert collect(ours)[Stream.STDOUT] == b"done\n"
    thread.join()
    ours.close()


def test_what_a_client_does_not_read_is_in_the_log_before_the_end_waits_for_it(tmp_path):
    size = 330_000  # beyond what is kept for a client; the rest stays in the pipe, and the process ends
    ours, thread = serve(tmp_path, f"head -c {size} /dev/zero | tr '\\0' x", stdin=False, room=4096)

    def logged() -> int:
        return sum(len(line.text.rstrip("\n")) for line in read_log(f"{tmp_path}/log"))

    assert eventually(lambda: logged() == size)
    assert len(collect(ours)[Stream.STDOUT]) == size
    thread.join()
    ours.close()


def test_a_child_that_writes_for_ever_does_not_hold_the_end_back(tmp_path):
    ours, thread = serve(tmp_path, "yes & exit 0", stdin=False)
    assert collect(ours)[Stream.EXITED] == b"0"
    thread.join()
    ours.close()


def test_requests_are_answered_one_by_one_and_nonsense_is_cut_off(tmp_path):
    from lamina.errors import InUse
    from lamina.runtime.frames import connect

    def operate(request, client):
        if request["op"] == "busy":
            raise InUse("it is busy", hint="later")
        return {"got": request["op"]}, ()

    ours, thread = serve(tmp_path, "cat", operate=operate)
    with connect(f"{tmp_path}/s") as sock:
        sock.sendall(b'{"op":')
        sock.sendall(b'"x"}\n')
        assert sock.recv(100) == b'{"got":"x"}\n'
        sock.sendall(b'{"op":"busy"}\n{"op":"none"')
        assert sock.recv(100) == b'{"error":"it is busy","hint":"later"}\n'
        sock.sendall(b"}\n[]\n")
        answers = b""
        while answers.count(b"\n") < 2:
            answers += sock.recv(200)
        assert answers.startswith(b'{"got":"none"}\n{"error":')
    ours.close()
    thread.join()


def test_who_asks_too_late_is_turned_away_and_who_is_owed_something_is_not(tmp_path):
    """`stop` once hung: it had been let in, the container ended, and another did not read."""
    listener = listen(f"{tmp_path}/s")
    relay = Relay(listener, lambda *_: None, log=None, stdin_once=False)
    late, theirs = socket.socketpair()
    relay.add(Client(theirs))
    reader, theirs = socket.socketpair()
    attached = Client(theirs)
    attached.attach(frozenset(Stream))
    relay.add(attached)
    late.sendall(b'{"op":"signal"}\n')
    relay.turn_away()
    late.settimeout(60)
    with suppress(ConnectionResetError):
        assert late.recv(100) == b""
    relay.finish(frame(Stream.EXITED, b"0"))
    assert collect(reader)[Stream.EXITED] == b"0"
    relay.release()
    late.close()
    reader.close()


def test_last_words_are_those_on_standard_error():
    pipes = Pipes(terminal=False, stdin=True)
    os.write(pipes.theirs.stderr, b"bwrap: no\n")
    assert pipes.last_words() == "bwrap: no"
    pipes.close()
    assert Pipes(terminal=True, stdin=True).last_words() == ""
