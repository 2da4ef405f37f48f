"""Start-up is a feature: what the everyday commands may load, and what they may cost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.images import Piece, tar

HEAVY = {
    "asyncio", "anyio", "http.client", "ssl", "tarfile", "logging", "subprocess", "ctypes",
    "importlib.metadata", "urllib3", "aiohttp", "sqlite3",
}  # fmt: skip

# What the standard library's own convenience costs: a third of a short command. See decision 1.
DEAR = {"typing", "re", "enum", "dataclasses", "inspect", "json", "hashlib", "copy", "warnings"}

# What the console script has stand-ins for, and what those would load. See `cli.light`.
STOOD_IN = {"enum", "reprlib", "selectors", "keyword"}

SAY_MODULES = """
import sys
from lamina.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print("\\0" + " ".join(sorted(sys.modules)))
sys.exit(code)
"""


SAY_MODULES_OF_THE_SCRIPT = """
import os, sys
def leave(code):
    print("\\0" + " ".join(sorted(sys.modules)), flush=True)
    leave_at_once(code)
leave_at_once, os._exit = os._exit, leave
from lamina.cli.main import run
run()
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LAMINA_ROOT": str(tmp_path / "root"),
        "LAMINA_RUN_ROOT": str(tmp_path / "run"),
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry.endswith("/src")),
    }


def run(environ: dict[str, str], *argv: str) -> str:
    done = subprocess.run(
        [sys.executable, *argv], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


def cpu_s(environ: dict[str, str], *argv: str) -> float:
    """CPU time of one run: the kernel's own count for the child, user and system."""
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, *argv],
        environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["images"], ["images", "--help"], []])
def test_everyday_commands_load_nothing_heavy(environ: dict[str, str], words: list[str]):
    loaded = set(run(environ, "-c", SAY_MODULES, *words).partition("\0")[2].split())
    assert "lamina.cli.main" in loaded
    assert not loaded & (HEAVY | DEAR)


@pytest.mark.parametrize("words", [["ls", "-l", "small:/etc"], ["cat", "small:/etc/file"]])
def test_reading_an_image_loads_nothing_heavy_either(
    environ: dict[str, str], tmp_path: Path, words: list[str]
):
    archive = tmp_path / "small.tar"
    archive.write_bytes(tar([Piece("etc/", directory=True), Piece("etc/file", b"content")]))
    run(environ, "-m", "lamina", "import", str(archive), "small")
    said, _, modules = run(environ, "-c", SAY_MODULES, *words).partition("\0")
    assert said
    loaded = set(modules.split())
    assert "lamina.layer.sealed" in loaded
    assert not loaded & (HEAVY | DEAR)
    # No part that makes or runs containers, fetches images or writes layers.
    others = ("lamina.runtime", "lamina.remote", "lamina.image", "lamina.hub")
    assert not [name for name in loaded if name.startswith(tuple(f"{o}." for o in others))]
    assert "lamina.layer.seal" not in loaded


@pytest.mark.parametrize("words", [["images"], ["ps"], ["--help"]])
def test_the_script_loads_no_module_for_a_name_or_two(environ: dict[str, str], words: list[str]):
    said = run(environ, "-S", "-c", SAY_MODULES_OF_THE_SCRIPT, *words)
    loaded = set(said.partition("\0")[2].split())
    assert "lamina.cli.light" in loaded
    assert not loaded & (HEAVY | DEAR | STOOD_IN) - {"ssl", "ctypes"}  # stand-ins, too
    assert "_ctypes" not in loaded


def test_importing_lamina_loads_nothing_but_itself(environ: dict[str, str]):
    text = "import sys, lamina; print(*[n for n in sys.modules if n.startswith('lamina')])"
    assert run(environ, "-c", text).split() == ["lamina"]


def test_python_dash_m_lamina_is_the_command(environ: dict[str, str]):
    assert run(environ, "-m", "lamina", "--version").startswith("Lamina version ")


def test_images_costs_at_most_four_bare_interpreters_of_cpu(environ: dict[str, str]):
    # The one figure style.md allows: a ratio of CPU times, each the least of many, interleaved.
    entry = "from lamina.cli.main import run; run()"
    run(environ, "-c", entry, "images")  # the byte code is written once
    bare, images = [], []
    for _ in range(10):
        bare.append(cpu_s(environ, "-c", "pass"))
        images.append(cpu_s(environ, "-c", entry, "images"))
    assert min(images) <= 4 * min(bare)


def test_only_the_hub_makes_its_values_by_dataclasses():
    source = Path(__file__).resolve().parents[2] / "src" / "lamina"
    ours = [path for path in source.rglob("*.py") if "hub" not in path.parts]
    assert [p.name for p in ours if "\nfrom dataclasses import" in p.read_text()] == []
