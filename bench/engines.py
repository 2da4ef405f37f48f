"""Lamina and its peers as the layer bench sees them: how each is emptied, pulls, runs and commits.

Each works in a folder of its own on the bench's disk, and everything it starts is in a control group of
its own: a daemon's CPU and memory count as well as its client's.
"""

import json
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.meter import Figure, join, kill_all, measure
from bench.surroundings import plain_environ, podman_environ

__all__ = ["Charliecloud", "Containerd", "Docker", "Engine", "Floor", "Lamina", "PlainUser", "Podman", "Runner", "Udocker",
           "Umoci", "mounted_below", "unmount_below"]  # fmt: skip

_ROOT = Path(__file__).resolve().parent.parent
_PEERS = _ROOT / ".cache" / "bench" / "peers" / "bin"
_USER = "lamina-bench"
_NOWHERE = "http://127.0.0.1:9"  # some ask hosts of their own at each start: nobody answers here


@dataclass(slots=True)
class Engine:
    """One tool. `folder` is all it writes to; `tls` is the same registry behind TLS."""

    folder: Path
    account: Path | None
    registry: str
    tls: str
    user: "PlainUser | None" = None
    environ: dict[str, str] = field(default_factory=plain_environ)
    name = ""
    program = ""

    def missing(self) -> str:
        """Say what is not installed; nothing if all is there."""
        return "" if shutil.which(self.program) else f"{self.program} is not installed"

    def version(self) -> str:
        """Give the tool's own word."""
        return self.quietly([self.program, "--version"]).splitlines()[0]

    def reference(self, image: str) -> str:
        return f"{self.registry}/bench/{image}:v1"

    def empty(self) -> None:
        """Stop what runs, and start again from an empty store and a clean environment."""
        self.stop()
        self.folder.mkdir(parents=True)
        self.environ = plain_environ()
        if self.user:
            runtime = self.folder / "xdg"
            runtime.mkdir(mode=0o700)
            self.environ = self.user.environ(self.folder, runtime)
            for path in (self.folder, runtime):
                os.chown(path, self.user.uid, self.user.gid)

    def dressed(self, argv: Sequence[str]) -> list[str]:
        """Give the command as the plain user runs it, if this is theirs."""
        return [*self.user.prefix(), *argv] if self.user else list(argv)

    def stop(self) -> None:
        """End every process and mount, and remove all that was written."""
        if self.account:
            kill_all(self.account)
        for _ in range(20):  # a container's monitor may still be cleaning up there
            unmount_below(self.folder)
            if not subprocess.run(
                ["rm", "-rf", self.folder], check=False, capture_output=True
            ).returncode:
                return
            time.sleep(0.5)
        raise RuntimeError(f"{self.folder} could not be removed")

    def pull(self, image: str) -> Sequence[str]:
        """Give the command after which a container's root could be entered."""
        raise NotImplementedError

    def run(self, *words: str) -> Sequence[str]:
        """Give the command line of the tool itself."""
        return [self.program, *words]

    def measure(self, argv: Sequence[str]) -> Figure:
        return measure(self.dressed(argv), self.environ, self.account)

    def quietly(self, argv: Sequence[str]) -> str:
        done = subprocess.run(
            join(self.account, self.dressed(argv)),
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=600,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{shlex.join(argv)}: {done.stderr[-2000:]}")
        return done.stdout.strip()

    def daemon(self, argv: Sequence[str], socket: Path) -> None:
        """Start a daemon in the group and wait until its socket is there."""
        with (self.folder / "daemon.log").open("ab") as log:
            process = subprocess.Popen(
                join(self.account, argv), env=self.environ, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "daemon.log").read_text()[-2000:])
            time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class PlainUser:
    """The plain user `lamina-bench`, and a Python of theirs with lamina in it."""

    uid: int
    gid: int
    python: Path

    @classmethod
    def settled(cls, folder: Path) -> "PlainUser":
        """Make the user where there is none, and the virtual environment in `folder`."""
        if subprocess.run(["id", _USER], capture_output=True, check=False).returncode:
            subprocess.run(
                ["useradd", "--no-create-home", "--shell", "/bin/bash", _USER], check=True
            )
        entry = pwd.getpwnam(_USER)
        python = folder / "bin" / "python3"
        user = cls(entry.pw_uid, entry.pw_gid, python)
        subprocess.run([user._readable(), "-m", "venv", "--without-pip", folder], check=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", python, "install", "-q",
             "--disable-pip-version-check", _ROOT, "udocker"],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return user

    def _readable(self) -> str:
        """Find a Python that this user may run: root's own may lie where others cannot look."""
        check = "import sys; sys.exit(sys.version_info < (3, 11))"
        for found in (
            os.path.realpath(sys.executable),
            "/usr/bin/python3",
            "/usr/local/bin/python3",
        ):
            # By way of `test`: setpriv itself looks for what it may not run elsewhere.
            allowed = subprocess.run([*self.prefix(), "test", "-x", found], check=False)
            if (
                allowed.returncode == 0
                and not subprocess.run([found, "-c", check], check=False).returncode
            ):
                return found
        raise RuntimeError("no Python 3.11 or newer that a plain user may run")

    def prefix(self) -> list[str]:
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups"]

    def environ(self, home: Path, runtime: Path) -> dict[str, str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "HOME": str(home), "USER": _USER, "LOGNAME": _USER, "LANG": "C.UTF-8",
                "XDG_RUNTIME_DIR": str(runtime)}  # fmt: skip


class Runner(Engine):
    """An engine with containers: it can commit."""

    def changed(self, image: str, name: str, argv: Sequence[str]) -> None:
        """Run a container to its end and keep it."""
        self.quietly(self.run("run", *self.alone(), "--name", name, self.reference(image), *argv))

    def alone(self) -> Sequence[str]:
        """Give the options for a container without a network."""
        return ()

    def commit(self, container: str, image: str) -> Sequence[str]:
        return self.run("commit", container, image)


class Lamina(Runner):
    """Ourselves. As a plain user, ready means pulled and unpacked: a container is created too."""

    name = "lamina"

    def missing(self) -> str:
        return ""

    def run(self, *words: str) -> Sequence[str]:
        return [*self.prefix(), *words]

    def prefix(self) -> list[str]:
        return [
            str(
                self.user.python.with_name("lamina")
                if self.user
                else Path(sys.executable).with_name("lamina")
            )
        ]

    def version(self) -> str:
        return self.quietly(self.run("--version"))

    def empty(self) -> None:
        Engine.empty(self)
        self.environ |= {
            "LAMINA_ROOT": str(self.folder / "root"),
            "LAMINA_RUN_ROOT": str(self.folder / "run"),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "LAMINA_UNDO": "off",  # what a round removes must not be there for the next one
        }

    def pull(self, image: str) -> Sequence[str]:
        pull = self.run("pull", self.reference(image))
        if not self.user:  # what is left is one mount, which the mount row measures
            return pull
        return _script(pull, self.run("create", "--name", "ready", self.reference(image), "true"))


class Podman(Runner):
    """podman with runc and overlay; cgroupfs, no network."""

    name = program = "podman"

    def empty(self) -> None:
        Engine.empty(self)
        self.environ |= podman_environ(self.folder / "config", self.environ)
        if self.user:
            subprocess.run(
                ["chown", "-R", f"{self.user.uid}:{self.user.gid}", self.folder], check=True
            )

    def run(self, *words: str) -> Sequence[str]:
        storage = ("--root", str(self.folder / "root"), "--runroot", str(self.folder / "run"))
        return ["podman", *storage, *words]

    def pull(self, image: str) -> Sequence[str]:
        return self.run("pull", "-q", "--tls-verify=false", self.reference(image))


class Docker(Runner):
    """Debian's dockerd, started by hand without a network."""

    name, program = "docker", "dockerd"

    def empty(self) -> None:
        Engine.empty(self)
        socket = self.folder / "docker.sock"
        self.daemon(
            ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
             "--oom-score-adjust=0", "--data-root", str(self.folder / "data"),
             "--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "pid"),
             "--host", f"unix://{socket}", "--storage-driver", "overlay2"],
            socket,
        )  # fmt: skip
        self.quietly(self.run("info"))

    def run(self, *words: str) -> Sequence[str]:
        client = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"
        return [client, "--host", f"unix://{self.folder}/docker.sock", *words]

    def alone(self) -> Sequence[str]:
        return ("--network", "none")

    def pull(self, image: str) -> Sequence[str]:
        return self.run("pull", "-q", self.reference(image))


class Containerd(Engine):
    """containerd and its client ctr, without the part for Kubernetes."""

    name, program = "containerd", "containerd"

    def empty(self) -> None:
        Engine.empty(self)
        config = self.folder / "config.toml"
        config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        socket = self.folder / "containerd.sock"
        self.daemon(
            ["containerd", "--config", str(config), "--root", str(self.folder / "root"),
             "--state", str(self.folder / "state"), "--address", str(socket)],
            socket,
        )  # fmt: skip
        self.quietly(self.run("version"))

    def run(self, *words: str) -> Sequence[str]:
        return ["ctr", "--address", f"{self.folder}/containerd.sock", *words]

    def pull(self, image: str) -> Sequence[str]:
        return self.run("images", "pull", "--plain-http", self.reference(image))


class Umoci(Engine):
    """skopeo fetches, umoci unpacks."""

    name, program = "skopeo+umoci", "umoci"

    def missing(self) -> str:
        return Engine.missing(self) or ("" if shutil.which("skopeo") else "skopeo is not installed")

    def pull(self, image: str) -> Sequence[str]:
        layout = self.folder / "layout"
        return _script(
            ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false",
             f"docker://{self.reference(image)}", f"oci:{layout}:v1"],
            ["umoci", "unpack", "--image", f"{layout}:v1", str(self.folder / "bundle")],
        )  # fmt: skip


class Udocker(Engine):
    """udocker: Python, and GNU tar to unpack."""

    name, program = "udocker", str(_PEERS / "udocker")

    def version(self) -> str:
        return self.quietly([*self.base(), "--version"]).splitlines()[-1]

    def base(self) -> list[str]:
        if self.user:
            return [str(self.user.python.with_name("udocker")), "--insecure"]
        return [self.program, "--allow-root", "--insecure"]

    def empty(self) -> None:
        Engine.empty(self)
        self.environ = _offline({**self.environ, "UDOCKER_DIR": str(self.folder / "udocker")})

    def pull(self, image: str) -> Sequence[str]:
        base = self.base()
        name = f"bench/{image}:v1"
        return _script(
            [*base, "pull", f"--registry=http://{self.registry}", name],
            [*base, "create", "--name=ready", name],
        )


class Charliecloud(Engine):
    """ch-image: Python; it speaks TLS only, so it pulls from the same registry's other port."""

    name, program = "charliecloud", "ch-image"

    def missing(self) -> str:
        return Engine.missing(self) or ("" if self.tls else "the registry has no TLS here")

    def empty(self) -> None:
        Engine.empty(self)
        # Debian's Python first: its modules lie there. `ch-image` insists on a user's name.
        self.environ = _offline(
            {"USER": "root", **self.environ, "PATH": f"/usr/bin:{self.environ['PATH']}"}
        )
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would undo --tls-no-verify
            self.environ.pop(name, None)

    def pull(self, image: str) -> Sequence[str]:
        return ["ch-image", "--tls-no-verify", "--no-cache", "-s", str(self.folder / "storage"),
                "pull", f"{self.tls}/bench/{image}:v1"]  # fmt: skip


class Floor(Engine):
    """No engine: curl, gzip and tar in a pipe, layer after layer; nothing is checked, whiteouts stay."""

    name, program = "curl+gzip+tar", "curl"

    def pull(self, image: str) -> Sequence[str]:
        base = f"http://{self.registry}/v2/bench/{image}"
        kind = "application/vnd.oci.image.manifest.v1+json"
        said = self.quietly(["curl", "-sSf", "-H", f"Accept: {kind}", f"{base}/manifests/v1"])
        root = self.folder / "root"
        # tar may say that it could not put a file over a directory (whiteouts mean nothing to it).
        lines = [
            f"curl -sSf {base}/blobs/{row['digest']} | gzip -dc | "
            f"{{ tar --warning=none -xf - -C {root} || true; }}"
            for row in json.loads(said)["layers"]
        ]
        return ["bash", "-e", "-o", "pipefail", "-c", "\n".join([f"mkdir {root}", *lines])]

    def version(self) -> str:
        return "Debian's curl, gzip and tar"


def _script(*commands: Sequence[str]) -> list[str]:
    """Give one command that runs several, until one fails."""
    return ["sh", "-ec", "\n".join(map(shlex.join, commands))]


def _offline(environ: Mapping[str, str]) -> dict[str, str]:
    proxies = {f"{kind}_proxy": _NOWHERE for kind in ("http", "https")}
    return {**environ, **proxies, "no_proxy": "127.0.0.1"}


def mounted_below(folder: Path) -> list[str]:
    """Give the mount points in a folder, deepest first."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        inside = [line.split(" ")[4] for line in table]
    return sorted((path for path in inside if f"{path}/".startswith(f"{folder}/")), reverse=True)


def unmount_below(folder: Path) -> None:
    for mounted in mounted_below(folder):
        subprocess.run(["umount", "-l", mounted], check=False)
