"""A real S3 service of the test's own: Ceph's gateway over one monitor and one store in memory."""

import contextlib
import glob
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from typing import Self
from urllib.request import urlopen

__all__ = ["KEYS", "Radosgw"]

KEYS = {"AWS_ACCESS_KEY_ID": "LAMINATEST", "AWS_SECRET_ACCESS_KEY": "not-a-secret-at-all"}
_PATIENCE_S = 150.0
_CONFIG = """[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{monitor}/0]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd objectstore = memstore
osd crush update on start = false
osd class update on start = false
memstore device bytes = 4294967296
ms bind ipv6 = false
ms bind port min = 16800
ms bind port max = 17799
public addr = 127.0.0.1
run dir = {root}
admin socket = {root}/$name.$pid.asok
log file = {root}/$name.log
pid file = {root}/$name.pid
keyring = {root}/keyring
mon data = {root}/mon
osd data = {root}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw data = {root}/rgw
rgw thread pool size = 32
rgw dns name = 127.0.0.1
"""


class _Ended(Exception):
    """A process of the service ended by itself; its last words."""


class Radosgw:
    """A context manager; leaving it ends the processes it started. No root is needed.

    `url` is where it listens; `make_bucket` gives what `--storage` takes.
    """

    def __init__(self) -> None:
        self._buckets = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for left in (2, 1, 0):  # another may take a port between our look and our use of it
            self._root = tempfile.mkdtemp(prefix="lamina-rgw-")
            self._config = os.path.join(self._root, "ceph.conf")
            self._ports = _free_ports(2)
            self.url = f"http://127.0.0.1:{self._ports[1]}"
            try:
                self._start()
            except _Ended:
                self.__exit__()
                if not left:
                    raise
            except BaseException:
                self.__exit__()
                raise
            else:
                break
        return self

    def __exit__(self, *_: object) -> None:
        while self._processes:
            process = self._processes.pop()
            process.send_signal(signal.SIGKILL)
            process.wait(100)
        shutil.rmtree(self._root)

    def make_bucket(self, *parameters: str) -> str:
        """Make an empty bucket; give its address for the hub."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        self.client().create_bucket(Bucket=name)
        query = "&".join([f"endpoint={self.url}", *parameters])
        return f"s3://{name}/hub?{query}"

    def client(self):
        """A plain client, to look behind the hub."""
        from botocore.config import Config
        from botocore.session import Session

        session = Session()
        session.set_credentials(*KEYS.values())
        return session.create_client(
            "s3", endpoint_url=self.url, region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"}, request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )  # fmt: skip

    def _start(self) -> None:
        root, fsid = self._root, str(uuid.uuid4())
        for name in ("mon", "osd", "rgw"):
            os.mkdir(os.path.join(root, name))
        monitor, gateway = self._ports
        with open(self._config, "w", encoding="utf-8") as file:
            file.write(
                _CONFIG.format(
                    fsid=fsid, root=root, monitor=monitor, gateway=gateway,

                )
            )  # fmt: skip
        keyring, table = os.path.join(root, "keyring"), os.path.join(root, "monmap")
        self._run(
            "monmaptool",
            "--create",
            "--addv",
            "a",
            f"[v1:127.0.0.1:{monitor}]",
            "--fsid",
            fsid,
            table,
        )
        self._run(
            "ceph-authtool",
            "--create-keyring",
            keyring,
            "--gen-key",
            "-n",
            "mon.",
            "--cap",
            "mon",
            "allow *",
        )
        self._run(
            "ceph-mon",
            "-c",
            self._config,
            "--mkfs",
            "-i",
            "a",
            "--monmap",
            table,
            "--keyring",
            keyring,
        )
        self._spawn("ceph-mon", "-f", "-i", "a")
        store = str(uuid.uuid4())
        ceph = ("ceph", "-c", self._config, "--connect-timeout", "20")
        # a monitor refuses everything until it has elected itself
        self._until(lambda: self._is_done(*ceph, "osd", "new", store))
        self._run("ceph-osd", "-c", self._config, "-i", "0", "--mkfs", "--osd-uuid", store)
        self._spawn("ceph-osd", "-f", "-i", "0")
        # Placed by us: what it would ask as it starts may come before it knows its cluster, and ends it.
        crush = ("osd", "crush", "add", "osd.0", "1.0", "root=default", "host=host1")
        self._until(lambda: self._is_done(*ceph, *crush))
        self._spawn("radosgw", "-f", "-n", "client.rgw")
        self._run(
            "radosgw-admin", "-c", self._config, "-n", "client.rgw", "user", "create",
            "--uid", "lamina", "--display-name", "lamina",
            "--access-key", KEYS["AWS_ACCESS_KEY_ID"], "--secret-key", KEYS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        self._until(self._answers)

    def _until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; a process that ended is told with its last words."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._has_ended() or not is_so():
            assert time.monotonic() < deadline, "Ceph does not come up"
            time.sleep(0.1)

    def _has_ended(self) -> bool:
        """Be told of a process that ended: what answers then is another's."""
        for process in self._processes:
            if process.poll() is not None:
                raise _Ended(process.args, self._last_words())
        return False

    def _last_words(self) -> str:
        words = ""
        for name in sorted(glob.glob(os.path.join(self._root, "*.log"))):
            with open(name, encoding="utf-8", errors="replace") as file:
                words += file.read()[-1500:]
        return words

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), urlopen(self.url, timeout=10):
            return True
        return False

    def _is_done(self, *argv: str) -> bool:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def _spawn(self, program: str, *words: str) -> None:
        self._processes.append(
            subprocess.Popen(
                [program, "-c", self._config, *words],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip

    def _run(self, *argv: str) -> None:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PATIENCE_S
        )
        assert done.returncode == 0, (argv, done.stderr.decode()[-2000:])


def _free_ports(count: int) -> list[int]:
    """Give ports that are free now, from where no outgoing connection takes them meanwhile."""
    found: list[int] = []
    for port in random.sample(range(20_000, 30_000), 1000):
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            found.append(port)
        if len(found) == count:
            break
    return found
