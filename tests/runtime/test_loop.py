"""Loop devices: had, and given back whatever happens."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.containers import eventually
from tests.store.processes import together

import lamina
from lamina.runtime.loop import NoLoopDevice, attached, backing_file

pytestmark = pytest.mark.root

SOURCE = str(Path(lamina.__file__).parent.parent)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(os.urandom(512) * 64)
    return path


def is_free(device: str, path: Path) -> bool:
    return backing_file(int(device.removeprefix("/dev/loop"))) != str(path)


@pytest.mark.parametrize("direct", [True, False])
def test_a_device_has_the_files_content_until_the_body_ends(content, direct: bool):
    with attached(str(content), direct=direct) as device:
        number = int(device.removeprefix("/dev/loop"))
        assert backing_file(number) == str(content)
        assert Path(f"/sys/block/loop{number}/ro").read_text(encoding="ascii") == "1\n"
        assert Path(f"/sys/block/loop{number}/queue/logical_block_size").read_text() == "512\n"
        assert Path(device).read_bytes() == content.read_bytes()
    eventually(lambda: is_free(device, content))


def test_direct_reads_keep_the_file_out_of_the_page_cache(content):
    with attached(str(content)) as device:
        number = device.removeprefix("/dev/loop")
        direct = Path(f"/sys/block/loop{number}/loop/dio").read_text(encoding="ascii")
    assert direct == "1\n"


def test_a_failure_in_the_body_frees_the_device(content):
    with pytest.raises(ZeroDivisionError), attached(str(content)) as device:
        raise ZeroDivisionError
    eventually(lambda: is_free(device, content))


def test_many_at_once_get_a_device_each(content, tmp_path):
    def run(number: int) -> None:
        path = tmp_path / str(number)
        path.write_bytes(bytes([number]) * 512)
        for _ in range(5):
            with attached(str(path)) as device:
                assert Path(device).read_bytes() == path.read_bytes()

    together(run, *[(number,) for number in range(6)])


def test_a_file_that_is_not_there_is_its_own_error(tmp_path):
    with pytest.raises(FileNotFoundError), attached(str(tmp_path / "absent")):
        pass


def in_another_dev(program: str, *prepare: str) -> subprocess.CompletedProcess[str]:
    """Run `program` where /dev is an empty folder but for what `prepare` makes."""
    script = " && ".join(["mount -t tmpfs -o mode=755 tmpfs /dev", *prepare, 'exec "$@"'])
    text = f"import sys; sys.path.insert(0, {SOURCE!r})\n{program}"
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "", sys.executable, "-c", text],
        capture_output=True,
        text=True,
        check=False,
    )


def test_nodes_that_a_container_lacks_are_made(content):
    control = os.stat("/dev/loop-control")
    assert stat.S_ISCHR(control.st_mode)
    program = f"""
from lamina.runtime.loop import attached
with attached({str(content)!r}) as device:
    print(open(device, "rb").read() == open({str(content)!r}, "rb").read())
"""
    major, minor = os.major(control.st_rdev), os.minor(control.st_rdev)
    done = in_another_dev(program, f"mknod /dev/loop-control c {major} {minor}")
    assert done.stdout == "True\n", done.stderr


def test_no_control_device_is_said_with_what_to_do(content):
    program = f"""
from lamina.runtime.loop import NoLoopDevice, attached
try:
    with attached({str(content)!r}):
        pass
except NoLoopDevice as error:
    print(error.message, "|", error.hint)
"""
    said = in_another_dev(program).stdout
    assert "no loop device to mount a sealed layer with: /dev/loop-control: No such file" in said
    assert "--storage-driver unpacked" in said
    assert issubclass(NoLoopDevice, lamina.errors.Unavailable)
