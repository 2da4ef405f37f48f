"""Two registries on one fresh disk, each in a control group that counts its CPU, with the same image in both."""

import base64
import hashlib
import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.meter import group, join
from bench.surroundings import compile_lamina, first_in_line, fresh_disk, plain_environ

from lamina.spec.wire import encode

__all__ = [
    "BLOB",
    "MANIFEST",
    "REPOSITORY",
    "Bench",
    "Server",
    "hub_at",
    "opened",
    "version_of_peer",
]

REPOSITORY = "bench/app"
MANIFEST = f"/v2/{REPOSITORY}/manifests/v001"
_TYPE = "application/vnd.oci.image.manifest.v1+json"
_TAGS = 100
_PASSWORD = "correct horse battery"
_BLOB = bytes(range(256)) * (10 * 4096)  # 10 MiB
BLOB = f"/v2/{REPOSITORY}/blobs/sha256:{hashlib.sha256(_BLOB).hexdigest()}"


@dataclass(slots=True)
class Server:
    """A registry that runs. `login` is what pushers send as Authorization; `process` is its process."""

    name: str
    address: str
    account: Path
    process: "subprocess.Popen[bytes]"
    login: str = ""
    folder: Path = field(default_factory=Path)

    def cpu_s(self) -> float:
        """Give the CPU that it has used, all threads."""
        return int((self.account / "cpuacct.usage").read_text()) / 1e9

    def ask(
        self, method: str, path: str, body: bytes | None = None, **fields: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request on a connection of its own, with the login if there is one."""
        connection = http.client.HTTPConnection(self.address, timeout=100)
        try:
            fields = {name.replace("_", "-"): value for name, value in fields.items()}
            if self.login and "Authorization" not in fields:
                fields["Authorization"] = self.login
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, answer.read()
        finally:
            connection.close()

    def push_blob(self, data: bytes) -> dict[str, object]:
        """Push a blob by POST and PUT; describe it."""
        named = f"sha256:{hashlib.sha256(data).hexdigest()}"
        _, fields, _ = self.ask("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
        place = re.sub(r"^https?://[^/]+", "", fields["location"])
        place += f"{'&' if '?' in place else '?'}digest={named}"
        status, _, said = self.ask("PUT", place, data, Content_Type="application/octet-stream")
        if status != 201:
            raise RuntimeError(f"{self.name}: {status} {said!r}")
        return {"digest": named, "size": len(data)}

    def push_image(self) -> None:
        """Push one image of a 10 MiB layer and eight small ones, under a hundred tags."""
        config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
        kind = "application/vnd.oci.image"
        layers = [_BLOB, *(bytes([number]) * 100 for number in range(8))]
        raw = encode(
            {
                "schemaVersion": 2,
                "mediaType": _TYPE,
                "config": {"mediaType": f"{kind}.config.v1+json", **self.push_blob(config)},
                "layers": [
                    {"mediaType": f"{kind}.layer.v1.tar+gzip", **self.push_blob(data)}
                    for data in layers
                ],
            }
        )
        for number in range(_TAGS):
            path = f"/v2/{REPOSITORY}/manifests/v{number:03}"
            status, _, said = self.ask("PUT", path, raw, Content_Type=_TYPE)
            if status != 201:
                raise RuntimeError(f"{self.name}: {status} {said!r}")


@dataclass(slots=True)
class Bench:
    """What the rows share: our server first, then the peer, if it can be had."""

    disk: Path
    servers: dict[str, Server]
    times: int
    seconds: float


@contextmanager
def opened(times: int, seconds: float, place: str) -> Iterator[Bench]:
    """Start both servers on a fresh disk, with the image in each; put all of it away at the end."""
    with ExitStack() as stack:
        stack.enter_context(first_in_line())
        disk = stack.enter_context(fresh_disk(place))
        compile_lamina()
        ours = stack.enter_context(hub_at(disk / "hub", "lamina"))
        peer = stack.enter_context(_peer(disk / "registry"))
        for server in (ours, peer):
            server.push_image()
        yield Bench(disk, {"lamina": ours, "docker-registry": peer}, times, seconds)


@contextmanager
def hub_at(folder: Path, name: str) -> Iterator[Server]:
    """Run a hub with its things in `folder`, and an account that pushes, while the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("lamina")
    argv = [str(program), "hub", "serve", "--root", str(folder), "--address", "127.0.0.1:0"]
    with _running(argv, folder, name, r"ready at http://(\S+)", plain_environ()) as server:
        form = encode({"name": "bench", "password": _PASSWORD})
        server.ask("POST", "/api/v1/register", form, Content_Type="application/json")
        server.login = "Basic " + base64.b64encode(f"bench:{_PASSWORD}".encode()).decode()
        yield server


@contextmanager
def _peer(folder: Path) -> Iterator[Server]:
    folder.mkdir(parents=True)
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: info, formatter: text, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, cache: {{blobdescriptor: inmemory}}}}\n"
        "http: {addr: '127.0.0.1:0', secret: bench}\n"
    )
    argv = ["docker-registry", "serve", str(config)]
    listening = r"listening on (127\.0\.0\.1:\d+)"
    with _running(argv, folder, "docker-registry", listening, dict(os.environ)) as server:
        yield server


@contextmanager
def _running(
    argv: list[str], folder: Path, name: str, ready: str, environ: dict[str, str]
) -> Iterator[Server]:
    """Run a server until the context ends; on entry it listens. Raises: RuntimeError (it does not)."""
    with group(name) as account:
        if account is None:
            raise SystemExit("bench: needs the cpuacct control groups, to count CPU")
        log = folder / "server.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                join(account, argv), stdout=sink, stderr=subprocess.STDOUT, env=environ
            )
        try:
            while not (found := re.search(ready, log.read_text())):
                if process.poll() is not None:
                    raise RuntimeError(log.read_text())
                time.sleep(0.005)
            yield Server(name, found[1], account, process, folder=folder)
        finally:
            process.terminate()
            process.wait(30)


def version_of_peer() -> str:
    """Say which docker-registry is installed."""
    said = subprocess.run(
        ["docker-registry", "--version"], capture_output=True, text=True, check=True
    )
    return " ".join(said.stdout.split()[:3])
