"""Play the whole story with the real `lamina` command: `make demo`.

Hub up, account, base image, container and package layer, container and security patch layer, push, page,
removed, pulled back, run. Everything lives in one temporary folder that is removed at the end; with KEEP=1
it stays, the hub too, and the last lines say how to go on. Needs no network and no root.
"""

import contextlib
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from html import unescape
from pathlib import Path
from typing import NoReturn

from demo_files import assemble_base, assemble_package

PROBE_S = 4
HUB_PATIENCE_S = 30
KEPT = ("LAMINA_RUNTIME", "LAMINA_STORAGE_DRIVER")  # to see the story on another runtime or driver
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


class Demo:
    """One run of the story: its folder, its environment, its hub."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lamina-demo-"))
        self.folder.chmod(0o755)
        self.started = time.monotonic()
        self.hub: subprocess.Popen[str] | None = None
        self.address = ""
        self.chapter_number = 0
        self.environ = {
            **{k: v for k, v in os.environ.items() if k in KEPT or not k.startswith("LAMINA_")},
            "LAMINA_ROOT": str(self.folder / "root"),
            "LAMINA_HUB_ROOT": str(self.folder / "hub"),
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        }

    # What a person sees

    def chapter(self, title: str) -> None:
        self.chapter_number += 1
        print(f"\n{BOLD}{self.chapter_number}. {title}{PLAIN}", flush=True)

    def say(self, text: str) -> None:
        print(f"{DIM}# {text}{PLAIN}", flush=True)

    def type(self, line: str, *, fails: bool = False) -> None:
        """Type one line into a shell: show it, run it, show what it prints. Ends all if it fails."""
        print(f"{BOLD}$ {line}{PLAIN}", flush=True)
        done = subprocess.run(
            ["bash", "-c", line], env=self.environ, cwd=self.folder, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if bool(done.returncode) != fails:
            stop(f"this command ended with {done.returncode}: {line}")

    # The story

    def play(self) -> None:
        self.hub_up()
        base = self.base_image()
        self.package_layer(base)
        self.patch_layer()
        self.publish()
        self.page()
        self.back_again()
        self.chapter("The picture")
        self.type(f"lamina layers {self.name('patched')}")
        print(f"\nThe page: {BOLD}http://{self.address}/alice/greet{PLAIN}")

    def hub_up(self) -> None:
        self.chapter("A hub on this machine, and an account")
        print(f"{BOLD}$ lamina hub serve --address 127.0.0.1:0 &{PLAIN}", flush=True)
        self.hub = subprocess.Popen(
            ["lamina", "hub", "serve", "--address", "127.0.0.1:0"],
            env=self.environ, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=(self.folder / "hub.log").open("w"), text=True,
            start_new_session=True,
        )  # fmt: skip
        self.address = self.read_address()
        (self.folder / "password").write_text(secrets.token_urlsafe(15))
        self.type(
            f"lamina hub register --hub http://{self.address} --password-stdin alice < password"
        )

    def read_address(self) -> str:
        assert self.hub is not None
        assert self.hub.stdout is not None
        for line in self.hub.stdout:
            print(line, end="", flush=True)
            if found := re.search(r"127\.0\.0\.1:\d+", line):
                return found[0]
        log = (self.folder / "hub.log").read_text()
        return stop(f"the hub did not start:\n{log}")

    def base_image(self) -> str:
        self.chapter("A base image")
        if docker_hub_answers():
            self.type("lamina pull alpine")
            self.base_folder: Path | None = None
            return "alpine"
        self.say("Docker Hub is out of reach: this machine's own shell and coreutils are the base")
        self.base_folder = self.folder / "base"
        self.base_folder.mkdir()
        assemble_base(self.base_folder)
        self.type("tar -C base --owner=0 --group=0 -cf base.tar .")
        self.type("lamina import -m 'shell and coreutils' -c 'CMD [\"sh\"]' base.tar base:1")
        return "base:1"

    def package_layer(self, base: str) -> None:
        self.chapter("A container on it, a Python package in it, and that as a layer")
        assemble_package(self.folder / "package", base=self.base_folder)
        self.type("tar -C package --owner=0 --group=0 -cf package.tar .")
        self.type(f"lamina run -d --name c1 {base} sleep 1000")
        self.type("lamina cp - c1:/ < package.tar")
        self.type('lamina exec c1 greet \'{"name": "Ada"}\'')
        self.type("lamina diff c1 | head -8")
        self.type('lamina commit -m "added python and greet" -a alice c1 greet:python')
        self.type("lamina rm -f c1")

    def patch_layer(self) -> None:
        self.chapter("A security patch, as one more layer")
        self.say("greet evaluates whatever it is given")
        hole = """\"{'name': __import__('os').listdir('/etc')}\""""
        self.type(f"lamina run --rm greet:python greet {hole}")
        patch = (
            "s/return eval/return literal_eval/; s/^import sys/from ast import literal_eval\\n&/"
        )
        self.type(f"lamina run --name c2 greet:python sed -i '{patch}' /opt/greet/greet.py")
        self.type("lamina diff c2")
        self.type('lamina commit -m "no more eval" -a alice c2 greet:patched')
        self.type(f"lamina run --rm greet:patched greet {hole} 2>&1 | tail -1")
        self.type("lamina history greet:patched")
        self.type("lamina images")

    def name(self, tag: str) -> str:
        return f"{self.address}/alice/greet:{tag}"

    def publish(self) -> None:
        self.chapter("Published")
        self.type(f"lamina tag greet:patched {self.name('patched')}")
        self.type(f"lamina login -u alice --password-stdin {self.address} < password")
        self.type(f"lamina push {self.name('patched')}")

    def page(self) -> None:
        self.chapter("Its page")
        url = f"http://{self.address}/alice/greet"
        print(f"{BOLD}$ curl {url}{PLAIN}  {DIM}# as text{PLAIN}", flush=True)
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read().decode()
        body = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", text)
        lines = [
            re.sub(r"\s+", " ", line).strip()
            for line in unescape(re.sub(r"<[^>]+>", "\n", body)).splitlines()
        ]
        words = [line for line in lines if line]
        if not any("patched" in line for line in words):
            stop("the page does not show the tag")
        print("\n".join(f"  {line}" for line in words[:40]))

    def back_again(self) -> None:
        self.chapter("Removed here, pulled back, run")
        self.type("lamina rm c2")
        images = shlex.join([self.name("patched"), "greet:patched", "greet:python"])
        self.type(f"lamina rmi {images}")
        self.type("lamina images")
        self.type(f"lamina pull {self.name('patched')}")
        self.type(f'lamina run --rm {self.name("patched")} greet \'{{"name": "Grace"}}\'')

    # The end

    def keep(self) -> None:
        print("\nKept. To go on with it:")
        for key in ("LAMINA_ROOT", "LAMINA_HUB_ROOT", "DOCKER_CONFIG"):
            print(f"  export {key}={self.environ[key]}")
        if self.hub is not None:
            print(
                f"  the hub runs as process {self.hub.pid}; alice's password is in {self.folder}/password"
            )

    def clear(self) -> None:
        """End the hub, remove containers and the folder, whoever owns what is in it."""
        if (self.folder / "root/containers").is_dir():
            self.quietly('ids=$(lamina ps -aq); [ -z "$ids" ] || lamina rm -f $ids')
        if self.hub is not None and self.hub.poll() is None:
            self.hub.send_signal(signal.SIGTERM)
            try:
                self.hub.wait(HUB_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.hub.kill()
                self.hub.wait()
        remove = (
            "import sys\n"
            "from lamina.runtime import userns\n"
            "from lamina.stream.files import remove_tree\n"
            "userns.enter()\n"
            "remove_tree(sys.argv[1])\n"
        )
        subprocess.run(
            [sys.executable, "-c", remove, str(self.folder)], env=self.environ, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        shutil.rmtree(self.folder, ignore_errors=True)
        run_root = Path(self.run_root())
        with contextlib.suppress(OSError):
            shutil.rmtree(run_root)
            if run_root.parent.name == f"lamina-{os.geteuid()}":
                run_root.parent.rmdir()  # a plain user's, where nothing else of theirs is running

    def run_root(self) -> str:
        from lamina.settings import Settings

        return Settings.from_environment(self.environ).run_root

    def quietly(self, line: str) -> None:
        subprocess.run(
            ["bash", "-c", line], env=self.environ, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def docker_hub_answers() -> bool:
    """Try to reach Docker Hub for a few seconds; DEMO_OFFLINE=1 does not try."""
    if os.environ.get("DEMO_OFFLINE"):
        return False
    try:
        with socket.create_connection(("registry-1.docker.io", 443), PROBE_S):
            return True
    except OSError:
        return False


def stop(reason: str) -> NoReturn:
    raise SystemExit(f"\ndemo: {reason}")


def interrupted(*_: object) -> NoReturn:
    raise SystemExit("\ndemo: interrupted")


def main() -> None:
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    demo = Demo()
    complete = False
    try:
        demo.play()
        complete = True
    finally:
        if os.environ.get("KEEP"):
            demo.keep()
        else:
            demo.clear()
    if complete:
        print(f"\nThe whole story took {time.monotonic() - demo.started:.0f} seconds.")


if __name__ == "__main__":
    main()
