"""House rules that no linter knows: sizes, names, protocols, exports, mirror tests."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src"
MODULES = sorted(SOURCE.rglob("*.py"))
CODE = [
    *MODULES,
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "tools").rglob("*.py")),
    *sorted((ROOT / "bench").rglob("*.py")),
]

VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "core", "misc", "tools", "shared"}
SUFFIXES = ("Manager", "Handler", "Helper", "Processor", "Impl", "Util", "Utils", "Base")
OTHERS_WORDS = {"CredentialHelper"}  # Docker's own name of the thing
LINES = 500
METHODS = 7

# Modules without a mirror of their own, each with where it is tested and why there.
ELSEWHERE: dict[str, str] = {
    "study.databases.apk": "tests/study/test_packages.py has an image with each",
    "study.databases.dpkg": "tests/study/test_packages.py has an image with each, and a real Debian",
    "study.databases.npm": "tests/study/test_packages.py has an image with each",
    "study.databases.python": "tests/study/test_packages.py has an image with each",
    "study.databases.rpm_files": "tests/study/databases/test_rpm.py has a file of each form",
    "image.contents_table": "tests/journeys/test_remote_encodings.py reads skopeo's, and damaged ones",
    "study.places": "tests/study/test_packages.py and test_waste.py look for what lies in them",
    "study.installed": "tests/study/test_packages.py reads each database through it",
    "cli.commands.explore": "tests/cli/explorer/test_start.py calls it",
    "cli.explorer.asking": "tests/cli/explorer/test_app.py waits for each answer",
    "cli.explorer.jobs": "tests/cli/explorer/test_app.py waits for each answer",
    "cli.explorer.keys": "tests/cli/explorer/test_lines.py fits them, test_app.py presses them",
    "cli.explorer.panes": "tests/cli/explorer/test_app.py looks at them in many sizes",
    "cli.explorer.questions": "tests/cli/explorer/test_session.py asks each",
    "cli.explorer.rows": "tests/cli/explorer/test_app.py goes about in them",
    "cli.explorer.stack": "tests/cli/explorer/test_session.py looks at it",
    "cli.explorer.story": "tests/cli/explorer/test_app.py reads both forms",
    "cli.explorer.tree_lines": "tests/cli/explorer/test_session.py looks at it",
    "engine.partial_study": "tests/cli/explorer/test_session.py opens an image with a lost layer",
    "cli.life_words": "tests/cli/commands/test_whence.py prints each change in words",
    "study.drawing.style": "a text; tests/study/drawing/test_page.py looks that it takes nothing from elsewhere",
    "cli.waste_words": "tests/cli/commands/test_waste.py prints groups and cures",
    "cli.explaining.checks": "tests/cli/explaining/test_pulling.py and its neighbours type every command",
    "cli.explaining.lesson": "tests/cli/commands/test_explain.py reads it",
    "cli.unreadable": "tests/journeys/test_broken_images.py has images of which not all can be read",
    "cli.patches": "tests/cli/test_comparing.py and tests/cli/commands/test_whence.py print some",
    "engine.base_images": "tests/cli/commands/test_base_images.py has a pile of three",
    "study.causes": "tests/study/test_waste.py and test_content.py have each cause",
    "cli.commands.fork": "tests/cli/commands/test_snapshot.py goes there and back again",
    "cli.commands.rollback": "tests/cli/commands/test_snapshot.py goes there and back again",
    "cli.commands.network_connect": "tests/cli/test_networking.py has containers on both ends",
    "cli.commands.network_create": "tests/cli/test_networking.py has containers on both ends",
    "cli.commands.network_disconnect": "tests/cli/test_networking.py has containers on both ends",
    "cli.commands.network_inspect": "tests/cli/test_networking.py has containers on both ends",
    "cli.commands.network_ls": "tests/cli/test_networking.py has containers on both ends",
    "cli.commands.network_prune": "tests/cli/test_networking.py has containers on both ends",
    "cli.commands.network_rm": "tests/cli/test_networking.py has containers on both ends",
    "engine.network_entry": "tests/cli/test_networking.py, as a plain user: nobody else enters one",
    "engine.network_joining": "tests/cli/test_networking.py joins and leaves, running and stopped",
    "__main__": "one line; tests/architecture/test_startup.py starts it",
    "spec.mount": "a value without behaviour; performed and checked in tests/runtime",
    "engine.engine": "holds the parts together; every test of the engine goes through it",
    "engine.clock": "reads the clock; whoever takes a clock argument is tested with a fixed one",
    "engine.container": "tests/journeys/test_library.py runs docs/library.md, and asks it for more",
    "engine.captured": "tests/cli/test_capturing.py reads its reports, of real commits",
    "engine.findings": "values without behaviour; tests/engine/test_fsck.py and test_mend.py make them",
    "engine.local": "values without behaviour; tests/engine/test_images.py makes and reads them",
    "files.facts": "values; tests/files/test_opened.py compares them with other judges' of the same tree",
    "files.image": "two properties; tests/files/test_opened.py opens everything through it",
    "files.pattern": "tests/files/test_paths.py compares it with pathlib's",
    "files.sources": "tests/files/test_opened.py closes, removes, forks and forgets what it holds",
    "image.copy": "tests/engine/test_copying.py copies between real places of every kind",
    "image.place": "a value without behaviour; every test of receiving and of intake goes to one",
    "image.sink": "a Protocol; tests/engine/test_copying.py runs every implementation",
    "image.transports.archive": "tests/engine/test_copying.py writes them, skopeo reads them",
    "image.transports.folder": "tests/engine/test_copying.py reads and writes them, skopeo too",
    "image.transports.legacy": "tests/engine/test_copying.py reads old docker archives",
    "image.transports.registry": "tests/engine/test_pull.py and test_copying.py, real registries",
    "engine.run_folders": "two paths; every test that starts a container goes through them",
    "engine.wiring": "tests/cli/test_networking.py starts containers with it and sends real traffic",
    "runtime.net.backend": "tests/cli/test_networking.py starts containers with it and sends real traffic",
    "runtime.net.keeper": "tests/cli/test_networking.py starts containers with it and sends real traffic",
    "runtime.net.namespaces": "tests/cli/test_networking.py starts containers with it and sends real traffic",
    "runtime.net.netlink": "tests/cli/test_networking.py starts containers with it and sends real traffic",
    "runtime.net.programs": "tests/cli/test_networking.py starts containers with it and sends real traffic",
    "runtime.net.wires": "tests/cli/test_networking.py starts containers with it and sends real traffic",
    "cli.commands.hub_import": "tests/hub/test_importing.py runs it on what docker-registry wrote",
    "cli.hub_places": "tests/cli/commands/test_hub_gc.py and every command of a hub here goes through it",
    "hub.database": "Protocols; tests/hub/databases runs what is behind them",
    "hub.errors": "classes without behaviour; raised and translated in tests/hub and tests/hub/v2",
    "hub.notes": "two lines; tests/hub/test_audit.py does every deed that is noted",
    "hub.services": "holds the parts together; every test of the hub goes through it",
    "hub.storage.bucket": "tests/hub/test_replicas.py asks a real gateway all of it",
    "hub.storage.hashes": "a memory; tests/hub/storage/test_disk.py goes on with what it remembers",
    "hub.storage.s3": "tests/hub/test_replicas.py runs it on a real gateway, by two hubs",
    "hub.tables.arrivals": "queries only; tests/hub/storage/test_arriving.py runs them",
    "hub.tables.progress": "queries only; tests/hub/test_replicas.py runs them",
    "hub.tables.quotas": "queries only; tests/hub/test_quotas.py runs them",
    "hub.tables.retention": "queries only; tests/hub/test_retention.py runs them",
    "hub.tables.sharing": "queries only; tests/hub/tables/test_tag_lists.py runs them",
    "hub.tables.scrub": "queries only; tests/hub/test_scrub.py runs them",
    "hub.tables.settled": "queries only; tests/hub/test_retention.py runs them",
    "hub.backup_file": "tests/hub/test_backup.py writes one, tar lists it, a hub comes of it",
    "hub.backup_reading": "tests/hub/test_backup.py reads folders and files by it",
    "hub.bringing": "tests/hub/test_backup.py and test_importing.py bring bytes by it",
    "hub.restore": "tests/hub/test_backup.py goes there and back again",
    "hub.databases.tables": "tests/hub/test_backup.py copies every table, between both databases",
    "hub.retention_documents": "tests/hub/api/test_retention.py sends and reads them",
    "hub.targets": "tests/hub/api/test_retention.py asks as everyone who may and who may not",
    "hub.tables.turns": "queries only; tests/hub/test_passwords.py and test_collect.py run them",
    "hub.storage.protocol": "a Protocol; tests/hub/storage/test_disk.py runs its suite",
    "hub.tables.access_tokens": "queries only; tests/hub/test_access_tokens.py runs them",
    "hub.tables.audit": "queries only; tests/hub/test_audit.py runs them",
    "hub.api.described.accounts": "values; test_described.py here compares them with the routes, tests/hub/api/test_openapi.py with answers",
    "hub.api.described.keeping": "values, as hub.api.described.accounts",
    "hub.api.described.organisations": "values, as hub.api.described.accounts",
    "hub.api.described.registry": "values, as hub.api.described.accounts",
    "hub.api.described.repositories": "values, as hub.api.described.accounts",
    "hub.api.described.upstreams": "values, as hub.api.described.accounts",
    "hub.api.described.words": "values, as hub.api.described.accounts",
    "hub.tables.figures": "queries only; tests/hub/site/test_admin.py runs them",
    "hub.tables.identities": "queries only; tests/hub/test_identities.py runs them",
    "hub.tables.links": "queries only; tests/hub/test_links.py runs them",
    "hub.tables.profiles": "queries only; tests/hub/test_profiles.py and test_recovery.py run them",
    "hub.tables.signing_keys": "queries only; tests/hub/test_signing_keys.py runs them",
    "hub.tables.sessions": "queries only; tests/hub/test_sessions.py runs them",
    "hub.tables.webhooks": "queries only; tests/hub/test_webhooks.py and test_couriers.py run them",
    "hub.blob_source": "tests/hub/test_passing.py fetches by it, from registries of all manners",
    "hub.v2.passed": "tests/hub/test_passing.py asks it for all it gives",
    "hub.tables.caches": "queries only; tests/hub/test_passing.py and test_caches.py run them",
    "hub.tables.mirrors": "queries only; tests/hub/test_mirrors.py and test_mirroring.py run them",
    "hub.tables.accounts": "queries only; tests/hub/test_accounts.py runs them on a real database",
    "hub.tables.blobs": "queries only; tests/hub/test_uploads.py and test_collect.py run them",
    "hub.tables.manifests": "queries only; tests/hub/test_registry.py runs them",
    "hub.tables.repositories": "queries only; tests/hub/test_registry.py and test_access.py run them",
    "hub.tables.organisations": "queries only; tests/hub/test_admission.py runs them on both databases",
    "hub.tables.roles": "queries only; tests/hub/test_admission.py runs them on both databases",
    "hub.tables.robots": "queries only; tests/hub/test_robots.py runs them",
    "hub.site.below": "a table of pages; tests/hub/site/test_routes.py and those of the pages go through it",
    "hub.tables.explorations": "queries only; tests/hub/exploring/test_explorer.py runs them",
    "hub.api.described.exploring": "values, as hub.api.described.accounts",
    "hub.exploring.finding": "tests/hub/site/test_inside.py and test_files.py find images by it",
    "hub.exploring.look": "tests/hub/exploring/test_explorer.py looks into images by it",
    "hub.exploring.notes": "tests/hub/exploring/test_answers.py reads some",
    "hub.exploring.worker": "tests/hub/exploring/test_processes.py and test_explorer.py start it",
    "hub.threads": "two calls; tests/hub/test_transfers.py moves bytes through them",
}


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


@pytest.mark.parametrize("path", CODE, ids=names)
def test_a_file_fits_in_five_hundred_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_a_module_is_named_for_what_it_holds(path: Path):
    assert not {part.strip("_") for part in dotted(path).split(".")} & VAGUE


@pytest.mark.parametrize("path", MODULES, ids=names)
def test_a_class_says_what_it_is_and_a_protocol_stays_small(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ClassDef):
            continue
        assert node.name in OTHERS_WORDS or not node.name.endswith(SUFFIXES), node.name
        if any(isinstance(one, ast.Name) and one.id == "Protocol" for one in node.bases):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            assert len(methods) <= METHODS, f"{node.name} has {len(methods)} methods"
            for method in methods:
                assert ast.get_docstring(method), f"{node.name}.{method.name} says nothing"


@pytest.mark.parametrize(
    "path", [one for one in MODULES if one.name not in {"__init__.py", "__main__.py"}], ids=names
)
def test_what_a_module_exports_exists_and_is_its_own(path: Path):
    module = importlib.import_module(dotted(path))
    exported = getattr(module, "__all__", None)
    assert exported is not None, "no __all__"
    assert len(set(exported)) == len(exported), "a name twice"
    missing = [name for name in exported if not hasattr(module, name)]
    assert not missing
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    }
    assert public <= set(exported), f"public but not exported: {public - set(exported)}"


@pytest.mark.parametrize("path", [one for one in MODULES if one.name != "__init__.py"], ids=names)
def test_a_module_has_its_mirror_test_or_says_where_it_is_tested(path: Path):
    name = dotted(path).removeprefix("lamina.")
    folder, _, leaf = name.rpartition(".")
    mirrors = ROOT / "tests" / folder.replace(".", "/")
    whole = {f"test_{leaf.strip('_')}.py", f"test_{leaf.rstrip('_')}.py"}
    # test_unpack_hardening.py also mirrors unpack: a long story may be told in several files.
    found = [
        one
        for one in mirrors.glob("test_*.py")
        if one.name in whole or one.name.startswith(f"test_{leaf.strip('_')}_")
    ]
    expected = f"tests/{folder.replace('.', '/')}/test_{leaf}.py"
    assert found or name in ELSEWHERE, f"{expected} is missing"


def test_the_list_of_modules_tested_elsewhere_names_modules_that_exist():
    known = {dotted(path).removeprefix("lamina.") for path in MODULES}
    assert set(ELSEWHERE) <= known


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=names)
def test_a_tests_name_is_a_sentence_and_none_is_written_twice(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]
    assert len(set(found)) == len(found), "a later test of the same name hides an earlier one"
    short = [name for name in found if name.count("_") < 3]
    assert not short, f"say what is expected: {short}"


def test_no_machine_of_ours_and_no_package_mirror_is_named_in_a_file():
    forbidden = re.compile(
        "|".join(["/work" + "/main", "/root" + "/", "deb.debian" + r"\.org", "pypi" + r"\.org",
                  "pythonhosted" + r"\.org", "registry\\.npmjs" + r"\.org"])
    )  # fmt: skip
    texts = [path for path in ROOT.rglob("*.md") if ".venv" not in path.parts]
    for path in [*CODE, *texts, ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("tools/*")]:
        if path.is_file() and ".cache" not in path.parts:
            found = forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{names(path)} names {found}"
