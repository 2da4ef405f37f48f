import subprocess
import sys

import pytest
from tests.containers import RUNTIMES, world

from lamina.errors import InUse, Invalid, Unavailable
from lamina.runtime import supervisor
from lamina.runtime.runtime import Choice
from lamina.runtime.supervisor import NotRunning, Order, Shims
from lamina.spec.bundle import Bundle, ProcessSettings
from lamina.spec.mount import Mount

LOADED_LATER = """
import os, sys
from lamina.cli.main import main
from lamina.runtime import split
from lamina.runtime.shim import Shim
fork, greet = split.split, Shim._greet
def split_and_note(given):
    global before
    before = set(sys.modules)
    return fork(given)
def greet_and_say(shim, relay):
    with open(os.environ["LOADED"], "w") as file:
        file.write(" ".join(["shim", *(set(sys.modules) - before)]))
    greet(shim, relay)
split.split, Shim._greet = split_and_note, greet_and_say
sys.exit(main(sys.argv[1:]))
"""


def order(**facts) -> Order:
    return Order(
        id="a" * 64,
        folder="/f",
        run_folder="/r",
        run_root="/run",
        choice=Choice("crun", "/usr/bin/crun", ""),
        mounts=(Mount("erofs", "s", "t", ("ro",)), Mount("overlay", "overlay", "r")),
        bundle=Bundle(),
        process=ProcessSettings(("true",)),
        **facts,
    )


def test_an_order_keeps_shared_layers_apart_from_the_containers_own_mounts():
    document = order(doomed=("/x",)).to_json()
    assert [row["source"] for row in document["layers"]] == ["s"]
    assert [row["type"] for row in document["mounts"]] == ["overlay"]
    assert document["doomed"] == ["/x"]


@pytest.mark.parametrize("deed", [supervisor.waiter, supervisor.open_shim])
def test_nobody_listening_means_not_running(tmp_path, deed):
    with pytest.raises(NotRunning, match="not running"):
        deed(f"{tmp_path}/s")
    with pytest.raises(NotRunning):
        supervisor.ask(f"{tmp_path}/s", "root")
    with pytest.raises(NotRunning):
        supervisor.attach(f"{tmp_path}/s", ["stdout"], terminal=False)


@pytest.mark.parametrize("deed", ["ask", "attach", "waiter"])
def test_a_shim_that_ends_before_it_answers_means_not_running(tmp_path, deed: str):
    import threading

    from lamina.runtime.frames import listen

    server = listen(f"{tmp_path}/s")
    server.settimeout(None)

    def hang_up() -> None:
        server.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    deeds = {
        "ask": lambda path: supervisor.ask(path, "root"),
        "attach": lambda path: supervisor.attach(path, ["stdout"], terminal=False),
        "waiter": supervisor.waiter,
    }
    with pytest.raises(NotRunning, match="not running"):
        deeds[deed](f"{tmp_path}/s")
    thread.join()
    server.close()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("the container is not running", NotRunning),
        ("it is paused", InUse),
        ("unknown operation 'x'", Invalid),
        ("broken", Unavailable),
    ],
)
def test_a_shims_refusal_is_the_matching_error(words: str, kind: type, tmp_path):
    import threading

    from lamina.runtime.frames import listen

    server = listen(f"{tmp_path}/s")
    server.settimeout(None)

    def answer() -> None:
        sock, _ = server.accept()
        with sock:
            sock.recv(100)
            sock.sendall(f'{{"error":"{words}","hint":"h"}}\n'.encode())

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(kind, match=words.split(maxsplit=1)[0]):
        supervisor.ask(f"{tmp_path}/s", "x")
    thread.join()
    server.close()


def test_an_interpreter_that_is_not_there_is_an_error_at_once(tmp_path):
    import os

    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    with pytest.raises(FileNotFoundError):
        Shims(str(tmp_path / "python")).start(order(), lock)
    os.close(lock)


@pytest.mark.parametrize(("runtime", "network"), [(RUNTIMES[0], "bridge"), (RUNTIMES[-1], "none")])
def test_a_copied_shim_imports_nothing_of_ours_to_start_a_container(tmp_path, runtime, network):
    with world(tmp_path, runtime=runtime) as lamina:
        words = lamina.argv("run", "--rm", "--network", network, "tiny", "true")
        line = [sys.executable, "-c", LOADED_LATER, *words[words.index("run") :]]
        environ = {**lamina.environ, "LOADED": f"{tmp_path}/loaded"}
        for _ in range(2):  # the first compiles the filter of system calls
            subprocess.run(line, env=environ, check=True)
        first, *loaded = (tmp_path / "loaded").read_text().split()
        assert first == "shim"
        ours = ("lamina.", "encodings.")  # a codec is a module, too
        assert [name for name in loaded if name.startswith(ours)] == []
