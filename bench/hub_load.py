"""A cheap client of registries, a process of its own: it says what it did as one line of JSON.

    python -IS hub_load.py repeat ADDRESS SECONDS CONNECTIONS < request     the same request again and again
    python -IS hub_load.py upload ADDRESS SECONDS CLIENTS SIZE REPOSITORY < login
                                                                 new blobs, each by POST and PUT, to the 201

Bodies of answers are read and dropped. Times are of each request or upload; uploads are hashed beforehand.
"""

import os
import select
import socket
import sys
import threading
import time


def main() -> None:
    mode, address, seconds, clients, *more = sys.argv[1:]
    given = sys.stdin.buffer.read()
    if mode == "repeat":
        took, wall_s = repeat(address, float(seconds), int(clients), given)
    else:
        took, wall_s = upload(address, float(seconds), int(clients), int(more[0]), (more[1], given))
    took.sort()
    at = [took[min(len(took) - 1, int(len(took) * part))] for part in (0.5, 0.99)]
    print(f'{{"count": {len(took)}, "wall_s": {wall_s}, "p50_s": {at[0]}, "p99_s": {at[1]}}}')


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    made = socket.create_connection((host, int(port)))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def repeat(address: str, seconds: float, clients: int, request: bytes) -> tuple[list[float], float]:
    """Keep `clients` connections busy with one request each; give how long each answer took."""
    is_head = request.startswith(b"HEAD")
    waste = bytearray(1 << 20)
    poll = select.epoll()
    lines = {}
    for _ in range(clients):
        line = connect(address)
        poll.register(line.fileno(), select.EPOLLIN)
        lines[line.fileno()] = [line, 0, time.perf_counter()]
    took: list[float] = []
    began = time.perf_counter()
    for line, _, _ in lines.values():
        line.send(request)
    while (now := time.perf_counter()) < began + seconds:
        for fileno, _ in poll.poll(1):
            state = lines[fileno]
            line, left, asked = state
            if left:
                left -= line.recv_into(waste, min(left, len(waste)))
            else:
                data = line.recv(65536)
                head, _, rest = data.partition(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"answered: {data[:200]!r}")
                at = head.lower().index(b"content-length:") + 15
                left = 0 if is_head else int(head[at:].split(b"\r\n", 1)[0]) - len(rest)
            state[1] = left
            if not left:
                now = time.perf_counter()
                took.append(now - asked)
                state[2] = now
                line.send(request)
    return took, now - began


def upload(
    address: str, seconds: float, clients: int, size: int, more: tuple[str, bytes]
) -> tuple[list[float], float]:
    """Have `clients` threads push blobs of `size` for a while, with repository and login; give how long each took."""
    took: list[float] = []
    spent = [0.0] * clients
    gate = threading.Barrier(clients)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            body = bytearray(os.urandom(min(size, 1 << 20)) * max(1, size >> 20))
            line = connect(address)
            gate.wait()
            while spent[number] < seconds:
                one = push(line, address, body, *more)
                took.append(one)
                spent[number] += one
        except BaseException as error:
            failed.append(error)
            gate.abort()
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"failed: {failed[0]}")
    return took, sum(spent) / clients


def push(
    line: socket.socket, address: str, body: bytearray, repository: str, login: bytes
) -> float:
    """Push one new blob; give the seconds from the first request to the 201."""
    import _hashlib

    body[:16] = os.urandom(16)
    digest = _hashlib.openssl_sha256(body).hexdigest()
    own = (
        b"Host: "
        + address.encode()
        + b"\r\n"
        + (b"Authorization: " + login + b"\r\n" if login else b"")
    )
    began = time.perf_counter()
    line.sendall(
        b"POST /v2/%s/blobs/uploads/ HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n"
        % (repository.encode(), own)
    )
    head = answer(line, b"202")
    place = head[head.lower().index(b"\r\nlocation:") + 11 :].split(b"\r\n", 1)[0].strip()
    if place.startswith(b"http"):
        place = b"/" + place.split(b"/", 3)[3]
    mark = b"&" if b"?" in place else b"?"
    line.sendall(
        b"PUT %s%sdigest=sha256:%s HTTP/1.1\r\n%sContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
        % (place, mark, digest.encode(), own, len(body))
    )
    line.sendall(body)
    answer(line, b"201")
    return time.perf_counter() - began


def answer(line: socket.socket, status: bytes) -> bytes:
    """Read one answer without a body; give its head."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = line.recv(65536)
        if not piece:
            raise SystemExit("the server hung up")
        data += piece
    if data.split(b" ", 2)[1] != status:
        raise SystemExit(f"answered: {data[:300]!r}")
    return data


main()
