"""Going down without following anything."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.layer.descent import Descent

_PATHS = st.lists(st.sampled_from([b"a", b"b", b"ab"]), max_size=4).map(b"/".join)


@given(st.lists(_PATHS, max_size=12))
def test_any_order_leads_to_the_right_directory(order: list[bytes]):
    import tempfile

    with tempfile.TemporaryDirectory() as root, Descent(root) as descent:
        for path in order:
            (Path(root) / os.fsdecode(path)).mkdir(parents=True, exist_ok=True)
            wanted = (Path(root) / os.fsdecode(path)).stat().st_ino
            assert os.fstat(descent.open(path)).st_ino == wanted


def test_a_symlink_on_the_way_is_refused(tmp_path: Path):
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    with Descent(str(tmp_path)) as descent:
        for path in (b"link", b"link/below", b"nothing"):
            with pytest.raises(OSError, match=r"ymbolic|such|directory"):
                descent.open(path)
        assert os.fstat(descent.open(b"real/below"))
        fd, name = descent.split(b"real/below/leaf")
        assert (os.listdir(fd), name) == ([], b"leaf")


def test_few_descriptors_stay_open_however_deep_it_goes(tmp_path: Path):
    path = b"/".join([b"d"] * 200)
    (tmp_path / os.fsdecode(path)).mkdir(parents=True)
    with Descent(str(tmp_path)) as descent:
        before = len(os.listdir("/proc/self/fd"))
        descent.open(path)
        assert len(os.listdir("/proc/self/fd")) - before <= 70
        for length in (199, 150, 100, 3, 200, 0):
            part = b"/".join([b"d"] * length)
            wanted = (tmp_path / os.fsdecode(part)).stat().st_ino
            assert os.fstat(descent.open(part)).st_ino == wanted
        descent.forget()
        assert len(os.listdir("/proc/self/fd")) == before
