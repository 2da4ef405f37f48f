"""What every test may ask for, and what keeps tests apart.

Tests marked `root` need mounts, namespaces or owners: as a plain user they are left out, and the
report says so. Every engine has folders of its own; whatever is still mounted below them when a test
ends is unmounted, so that neither a failure nor a container left running hurts the next test.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from tests.commands import Lamina
from tests.images import debian
from tests.servers import HubServer, RegistryServer

from lamina.engine.engine import Engine
from lamina.settings import Settings

PLAIN = os.geteuid() != 0
_IMAGES_S = 1500

# A shell without job control starts what it puts behind with Ctrl-C ignored, and so would all
# processes that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

for _profile, _examples in (("quick", 50), ("soak", 2000)):
    hypothesis_settings.register_profile(
        _profile,
        max_examples=_examples,
        derandomize=_profile == "quick",  # the soak looks for new examples, `make test` for changes
        deadline=None,  # machines here are busy: a slow example is not a failure
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
hypothesis_settings.load_profile("quick")
# Hypothesis would try numbers and words that it finds in our modules, which are others in each process: a
# property would be tried with what depends on the tests that ran before it.
providers._get_local_constants = Constants


def pytest_report_header() -> str:
    if PLAIN:
        return "user: plain; tests marked `root` need mounts and owners and are left out"
    return "user: root; `make test` also runs the suite as a plain user"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(getattr(item, "module", None), "debian", None) is debian:
            # The first of them makes the images, as quickly as the mirror is, and the others wait.
            item.add_marker(pytest.mark.timeout(_IMAGES_S))
    if not PLAIN:
        return
    left_out = [item for item in items if item.get_closest_marker("root")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("root")]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    # What is left of a test may be thousands of folders deep, and pytest's clean-up is recursive.
    # Not earlier: some tests need documents nested too deeply to be refused.
    sys.setrecursionlimit(50_000)


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the caller's own root, logins and proxies from every test."""
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith("LAMINA_") or name.lower().endswith("_proxy"):
            patch.delenv(name)
    for name in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "DOCKER_HOST", "COLUMNS"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(home))
    patch.setenv("DOCKER_CONFIG", str(home / ".docker"))
    runtime = tempfile.mkdtemp(prefix="lamina-")  # short: sockets go there; skopeo's logins too
    patch.setenv("XDG_RUNTIME_DIR", runtime)
    patch.setenv("LC_ALL", "C.UTF-8")
    patch.setenv("TZ", "UTC")
    yield
    unmount_below(tmp_path_factory.getbasetemp())
    unmount_below(Path(runtime))
    shutil.rmtree(runtime, ignore_errors=True)
    patch.undo()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings of an engine of its own; the run root is short, because it holds sockets."""
    run_root = tempfile.mkdtemp(prefix="lamina-")
    yield Settings(
        root=str(tmp_path / "root"), run_root=run_root, docker_config=str(tmp_path / "docker")
    )
    unmount_below(Path(run_root))
    unmount_below(tmp_path)
    shutil.rmtree(run_root, ignore_errors=True)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine on an empty root."""
    with Engine(settings) as engine:
        yield engine
        if "containers" in engine.__dict__:
            Lamina(settings).remove_containers()


@pytest.fixture
def lamina(settings: Settings) -> Iterator[Lamina]:
    """The `lamina` command on the same root as `engine`; containers left over are removed."""
    command = Lamina(settings)
    yield command
    command.remove_containers()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """Our hub, started by its command on a free loopback port."""
    with HubServer(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """Distribution's own registry on a free loopback port, open to everyone."""
    with RegistryServer(tmp_path_factory.mktemp("registry")) as server:
        yield server


def unmount_below(folder: Path) -> None:
    """Unmount whatever is mounted at or below `folder`, deepest first."""
    prefix = str(folder)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        targets = [line.split(" ", 5)[4] for line in table]
    for target in sorted(targets, reverse=True):
        if target == prefix or target.startswith(prefix + "/"):
            subprocess.run(["umount", "-l", target], check=False, capture_output=True)
