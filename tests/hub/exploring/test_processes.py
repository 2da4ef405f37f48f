"""Workers end with who started them, take no keys along, and say in words what went wrong."""

import errno
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.containers import eventually
from tests.hub.exploring.images import BOTTOM, file
from tests.layer.trees import tar_of

from lamina.errors import Unavailable
from lamina.hub.exploring import processes
from lamina.hub.exploring.processes import Later, Refused, Shortage, shortage, work
from lamina.hub.exploring.worker import INDEX, LACKS


class Pieces(io.RawIOBase):
    """A source that is no file, as a blob on S3; fails after its data where that is asked for."""

    def __init__(self, data: bytes, *, fails: bool = False) -> None:
        self._data = io.BytesIO(data)
        self._fails = fails

    def read(self, size: int = -1) -> bytes:
        found = self._data.read(size)
        if not found and self._fails:
            raise Unavailable("the storage does not answer")
        return found


def go_on() -> None:
    """Nothing is against it."""


def test_bytes_that_are_no_file_are_sent_through_a_pipe(tmp_path: Path):
    asked = {"limit": 10**9, "below": []}
    told = work("layer", str(tmp_path), asked, Pieces(BOTTOM), goes_on=go_on)  # type: ignore[arg-type]
    assert told == {
        "copied_from": [], "copied": 0, "needs_parents": False,
        "secrets": [["a private key of ssh", "srv/id_rsa"]],
    }  # fmt: skip
    assert (tmp_path / INDEX).stat().st_size


def test_a_storage_that_fails_is_no_fault_of_the_layer(tmp_path: Path):
    with pytest.raises(Unavailable, match="the storage does not answer"):
        work(
            "layer", str(tmp_path), {"limit": 10**9, "below": []},
            Pieces(BOTTOM[:2000], fails=True), goes_on=go_on,  # type: ignore[arg-type]
        )  # fmt: skip


def test_a_worker_gets_none_of_the_hubs_keys(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "AWS_SECRET_ACCESS_KEY" not in processes.environment()
    assert "PATH" in processes.environment()


@pytest.mark.parametrize(
    ("killer", "kind"),
    [(signal.SIGXCPU, Refused), (signal.SIGXFSZ, Refused), (signal.SIGKILL, Shortage)],
)
def test_a_worker_that_took_too_much_is_named_for_it(tmp_path: Path, killer, kind):
    with open(tmp_path / "errors", "w+b") as errors, pytest.raises(kind) as caught:
        processes.read_told(str(tmp_path / "none"), -killer, errors)
    assert "too" in str(caught.value) or "memory" in str(caught.value)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN])
def test_what_the_machine_lacks_is_no_fault_of_the_image(tmp_path: Path, code):
    (tmp_path / "told.json").write_text('{"half": ')  # as on a disk that is full
    with open(tmp_path / "errors", "w+b") as errors, pytest.raises(Shortage) as caught:
        processes.read_told(str(tmp_path / "told.json"), LACKS[code], errors)
    found = shortage(OSError(code, "no more", "/srv/secret-place"))
    assert found is not None
    assert found.message == caught.value.message
    assert shortage(OSError(errno.EIO, "broken")) is None


@pytest.mark.root
def test_a_worker_on_a_disk_that_is_full_says_so(tmp_path: Path):
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], check=True)
    try:
        large = tar_of([file(b"large", os.urandom(200_000))])
        with pytest.raises(Shortage, match="disk is full"):
            work(
                "layer", str(full), {"limit": 10**9, "below": []}, Pieces(large), goes_on=go_on  # type: ignore[arg-type]
            )  # fmt: skip
    finally:
        subprocess.run(["umount", full], check=True)


def test_the_last_words_of_a_worker_are_for_the_log_alone(tmp_path: Path, caplog):
    with open(tmp_path / "errors", "w+b") as errors, pytest.raises(Later) as caught:
        errors.write(b"Traceback\nOSError: /srv/secret-place\n")
        processes.read_told(str(tmp_path / "none"), 1, errors)
    assert "secret" not in str(caught.value)
    assert "/srv/secret-place" in caplog.text


def test_a_worker_ends_with_the_hub_that_started_it(tmp_path: Path):
    # it waits for more on its stdin, which outlives the hub: nothing but the hub's end can end it
    script = (
        "import sys; from lamina.hub.exploring.processes import work\n"
        "def go_on():\n"
        "    path = '/proc/%d' % __import__('os').getpid()\n"
        "    print(open(path + '/task/' + path[6:] + '/children').read(), flush=True)\n"
        "work('layer', sys.argv[1], {'limit': 10**9, 'below': []}, sys.stdin.buffer, goes_on=go_on)\n"
    )
    reading, writing = os.pipe()
    with (
        os.fdopen(reading, "rb") as source,
        os.fdopen(writing, "wb"),
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=source, stdout=subprocess.PIPE, text=True,
        ) as hub,
    ):  # fmt: skip
        assert hub.stdout is not None
        (worker,) = hub.stdout.readline().split()
        hub.send_signal(signal.SIGKILL)
        hub.wait()
        eventually(lambda: not _runs(worker))


def _runs(process: str) -> bool:
    """Tell whether a process is there and more than what is left of one that nobody waited for."""
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_who_does_not_go_on_leaves_no_process_behind(tmp_path: Path):
    reading, writing = os.pipe()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    before = set(children.read_text().split())  # of other tests' fixtures
    seen: set[str] = set()

    def stop() -> None:
        seen.update(children.read_text().split())
        raise Unavailable("that is all")

    with (
        os.fdopen(reading, "rb") as source,
        os.fdopen(writing, "wb"),
        pytest.raises(Unavailable, match="that is all"),
    ):
        work("layer", str(tmp_path), {"limit": 1, "below": []}, source, goes_on=stop)
    assert len(seen - before) == 1
    assert set(children.read_text().split()).isdisjoint(seen - before)
