"""A quota: what images bring may not make the root larger, and what is kept gives way first."""

import json
import os
import re
import threading
from random import Random

import pytest
from tests.commands import Lamina
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece, tiny
from tests.servers import RegistryServer

from lamina.engine import undo
from lamina.engine.census import census
from lamina.engine.engine import Engine
from lamina.engine.quota import Budget, QuotaFull, left, used
from lamina.stream.files import DiskFull, disk_errors

MB = 1_000_000


def noise(size: int, seed: int) -> list[Piece]:
    return [Piece(f"n{seed}", Random(seed).randbytes(size))]


@pytest.fixture
def limited(tmp_path):
    """An engine whose root may have 6 MB."""
    with make_engine(tmp_path / "limited", quota=6 * MB) as engine:
        yield engine


def test_an_import_beyond_the_quota_is_refused_and_nothing_is_lost_or_left(limited: Engine):
    import_image(limited, "small:1", noise(500_000, 1))
    before = sorted(os.listdir(f"{limited.store.root}/blobs/sha256"))
    with pytest.raises(QuotaFull, match=r"the quota of 6MB \(LAMINA_QUOTA\) does not allow that"):
        import_image(limited, "large:1", noise(8 * MB, 2))
    assert [row.names for row in limited.images.list()] == [("docker.io/library/small:1",)]
    assert sorted(os.listdir(f"{limited.store.root}/blobs/sha256")) == before
    assert os.listdir(f"{limited.store.root}/uploads") == []
    assert used(limited) < 6 * MB
    import_image(limited, "other:1", noise(500_000, 3))


def test_what_is_kept_for_undo_gives_way_before_anything_is_refused(tmp_path):
    free = make_engine(tmp_path)
    import_image(free, "old:1", noise(900_000, 1))
    free.images.remove("old:1")
    assert [row.state for row in undo.listing(free)] == ["kept"]
    narrow = make_engine(tmp_path, quota=3 * MB)
    import_image(narrow, "new:1", noise(900_000, 2))  # a stream, which cannot be read twice
    assert [row.state for row in undo.listing(narrow)] == ["gone"]
    assert narrow.images.resolve("new:1").names == ("docker.io/library/new:1",)


def test_undo_keeps_a_tenth_of_what_the_quota_leaves(tmp_path):
    engine = make_engine(tmp_path, quota=6 * MB)
    import_image(engine, "a:1", noise(900_000, 1))
    engine.images.remove("a:1")
    assert [row.state for row in undo.listing(engine)] == ["gone"]


def test_a_pull_beyond_the_quota_is_refused_before_a_byte_of_a_layer_comes(
    tmp_path, registry: RegistryServer
):
    name = f"{registry.address}/quota:1"
    there = make_engine(tmp_path / "there")
    import_image(there, name, noise(2 * MB, 5))
    there.images.push(name)
    with make_engine(tmp_path / "here", quota=3 * MB) as here:
        with pytest.raises(QuotaFull, match=r"the image needs 4\.?\d*MB at least, and 2\.\d+MB"):
            here.images.pull(name)
        assert os.listdir(f"{here.store.root}/uploads") == []
    with make_engine(tmp_path / "here", quota=6 * MB) as here:
        here.images.pull(name)
        assert [row.names for row in here.images.list()] == [(name,)]
    there.close()


def test_removing_works_where_the_quota_is_long_exceeded(tmp_path):
    import_image(make_engine(tmp_path), "a:1", noise(MB, 1))
    narrow = make_engine(tmp_path, quota=MB)
    assert (left(narrow) or 0) < 0
    narrow.images.tag("a:1", "b:1")
    narrow.images.remove("a:1")
    narrow.images.remove("b:1")
    assert list(narrow.layers) == []
    assert (left(narrow) or 0) > 0


def test_a_commit_beyond_the_quota_is_refused_and_the_container_stays(lamina: Lamina, tmp_path):
    lamina("import", "-", "base:1", stdin=tiny())
    container = lamina("create", "base:1", "true").strip()
    (tmp_path / "noise").write_bytes(Random(1).randbytes(3 * MB))
    lamina("cp", str(tmp_path / "noise"), f"{container}:/tmp/noise")
    room = json.loads(lamina("system", "df", "-v", "--json"))["size"] + 2 * MB
    said = lamina.attempt("commit", container, "changed:1", LAMINA_QUOTA=f"{room / MB}MB")
    assert said.code == 1
    assert said.err.startswith("lamina: the quota of ")
    assert lamina("ps", "-aq", "--no-trunc").strip() == container
    assert lamina("images", "--format", "{{.Repository}}").split() == ["base"]
    assert "Everything is as it should be" in lamina("fsck")
    lamina("commit", container, "changed:1")


def test_df_and_info_say_what_the_quota_is(lamina: Lamina):
    lamina("import", "-", "base:1", stdin=tiny())
    lines = lamina("--quota", "100MB", "system", "df").splitlines()
    assert re.fullmatch(r"Quota: \d\.?\d*MB used of 100MB \(\d%\)", lines[-1])
    document = json.loads(lamina("--quota", "100MB", "system", "df", "-v", "--json"))
    assert document["quota"] == 100 * MB
    assert "quota" not in lamina("system", "df").lower()
    info = json.loads(lamina("--quota", "100MB", "info", "--json"))
    assert (info["Quota"], info["QuotaUsed"] > MB) == (100 * MB, True)
    assert re.search("^Quota: .* used of 100MB$", lamina("--quota", "100MB", "info"), re.MULTILINE)


def test_no_two_threads_spend_the_same_bytes():
    written: list[int] = []
    refused: list[QuotaFull] = []
    budget = Budget(1000, lambda: len(written), lambda: None)

    def spend() -> None:
        for _ in range(400):
            try:
                budget.spend(1)
            except QuotaFull as error:
                refused.append(error)
            else:
                written.append(1)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) + len(refused) == 1600
    assert 1000 <= len(written) <= 1004, "what others wrote meanwhile is counted when it is there"


def test_the_census_of_somebody_elses_folder_is_what_can_be_seen(engine: Engine):
    import_image(engine, "a:1")
    assert used(engine) == census(engine.store.root).total > 0
    assert left(engine) is None


def test_the_kernels_quota_is_told_from_a_full_disk():
    for number, words, hint in (
        (122, "disk quota exceeded while storing a blob", "quota -s"),
        (28, "no space left on device while storing a blob", "free some space"),
    ):
        with pytest.raises(DiskFull, match=words) as caught, disk_errors("storing a blob"):
            raise OSError(number, os.strerror(number))
        assert hint in caught.value.hint
