import os
import resource
import struct
import subprocess

import pytest
from tests.containers import RUNTIMES, world

from lamina.runtime import syscalls
from lamina.runtime.oci import OciRuntime, _write
from lamina.runtime.process import Launch, StartFailed, Stdio


def launch(tmp_path, **facts) -> Launch:
    """Give a launch of a program that only the runtime can know: it lies below a mount of its own."""
    config = {
        "process": {"args": ["/later/x"], "cwd": "/", "env": []},
        "root": {"path": str(tmp_path)},
        "mounts": [{"destination": "/later", "type": "tmpfs", "source": "tmpfs"}],
    }
    values = {"config": config, "stdio": Stdio(), "enter": lambda: None, "terminal": False, **facts}
    return Launch("c", str(tmp_path), **values)


def script(tmp_path, body: str) -> str:
    path = tmp_path / "runtime"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_the_words_of_the_log_become_the_error(tmp_path):
    said = '{"level":"error","msg":"exec: permission denied"}'
    program = script(tmp_path, f"echo '{said}' > {tmp_path}/runtime.log; exit 1")
    with pytest.raises(StartFailed, match="permission denied") as caught:
        OciRuntime("runc", program).start(launch(tmp_path))
    assert caught.value.exit_code == 126


def test_a_runtime_that_says_nothing_is_named_with_its_status(tmp_path):
    with pytest.raises(StartFailed, match="runc ended with status"):
        OciRuntime("runc", script(tmp_path, "exit 3")).start(launch(tmp_path))


@pytest.mark.root  # the shim has capabilities in its namespace, a test as a plain user has none
def test_a_runtime_that_never_sends_the_terminal_does_not_hold_us(tmp_path):
    with pytest.raises(StartFailed):
        OciRuntime("runc", script(tmp_path, "exit 3")).start(launch(tmp_path, terminal=True))


def test_deleting_needs_no_program_to_be_there(tmp_path):
    OciRuntime("runc", "/nosuch").delete("c", str(tmp_path))
    OciRuntime("crun", "/nosuch").delete("c", str(tmp_path))


def without_keyrings() -> None:
    """Forbid add_key, request_key and keyctl, as the container would that this runs in."""
    number = {"x86_64": 248, "aarch64": 217}[os.uname().machine]
    lines = (
        (0x20, 0, 0, 0),  # the call's number
        (0x35, 0, 2, number),  # below the three
        (0x35, 1, 0, number + 3),  # above
        (0x06, 0, 0, 0x00050001),  # EPERM
        (0x06, 0, 0, 0x7FFF0000),  # allowed
    )
    syscalls.install_filter(b"".join(struct.pack("=HBBI", *line) for line in lines))


@pytest.mark.root
@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name != "bwrap"])
def test_in_a_container_that_may_use_no_keyrings_one_runs(tmp_path, runtime):
    with world(tmp_path, runtime=runtime) as lamina:
        words = lamina.argv("run", "--rm", "--network", "none", "tiny", "echo", "inside")
        done = subprocess.run(
            words, env=lamina.environ, capture_output=True, text=True, check=False,
            preexec_fn=without_keyrings,
        )  # fmt: skip
        assert done.stdout == "inside\n", done.stderr


def test_a_document_that_the_disk_or_a_limit_cuts_short_is_no_document(tmp_path):
    """One write ended early and was taken for all: the runtime said that JSON ended too soon."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            _write(f"{tmp_path}/config.json", b"x" * 1500)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_runtime_that_cannot_fork_is_told_with_the_limit_of_processes(tmp_path):
    runtime = OciRuntime("crun", "/bin/true")
    child = os.posix_spawn("/bin/true", ["true"], {})
    with pytest.raises(StartFailed, match="without starting") as caught:
        runtime._pid_of(child, str(tmp_path), f"{tmp_path}/init.pid", [])
    assert "ulimit -u" in caught.value.hint
