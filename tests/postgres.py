"""A real PostgreSQL of the test's own: in a temporary folder, on a socket there and no port."""

import glob
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from typing import Self

import psycopg

__all__ = ["PostgresServer", "has_postgres"]

_PROGRAMS = "/usr/lib/postgresql/*/bin/initdb"
_NUMBERS = itertools.count()


def has_postgres() -> bool:
    """Tell whether a server is installed."""
    return bool(glob.glob(_PROGRAMS))


class PostgresServer:
    """A context manager; leaving it stops the server and removes its data.

    The server refuses to run as root, so for root it is Debian's user `postgres` that runs it.
    """

    def __init__(self) -> None:
        found = sorted(glob.glob(_PROGRAMS))
        assert found, "PostgreSQL is not installed (Debian: postgresql)"
        self._programs = os.path.dirname(found[-1])
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._root = tempfile.mkdtemp(prefix="lamina-pg-")
        if os.geteuid() == 0:
            shutil.chown(self._root, self._user)

    def __enter__(self) -> Self:
        data = os.path.join(self._root, "data")
        self._run(
            "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"
        )
        with open(os.path.join(data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(
                f"unix_socket_directories = '{self._root}'\nlisten_addresses = ''\n"
                "fsync = off\nshared_buffers = 32MB\nmax_connections = 200\n"
            )
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._root)

    def start(self) -> None:
        """Start it; on return it answers."""
        data, log = os.path.join(self._root, "data"), os.path.join(self._root, "log")
        self._run("pg_ctl", "-D", data, "-l", log, "-w", "-t", "200", "-s", "start")

    def stop(self) -> None:
        """Stop it as a crash would: nobody is asked to finish."""
        self._run("pg_ctl", "-D", os.path.join(self._root, "data"), "-m", "immediate", "-s", "stop")

    def make_database(self) -> str:
        """Make an empty database; give its URL."""
        name = f"hub{next(_NUMBERS)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://{self._user}@/{name}?host={self._root}"

    def _run(self, program: str, *words: str) -> None:
        argv = [os.path.join(self._programs, program), *words]
        user = self._user if os.geteuid() == 0 else None
        done = subprocess.run(
            argv, user=user, group=user, extra_groups=[] if user else None, cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
