"""One process at a time in a folder."""

import pytest

from lamina.errors import InUse
from lamina.hub.folder_lock import alone_in


def test_a_second_one_is_told_and_the_next_comes_in(tmp_path):
    with (
        alone_in(str(tmp_path), "first"),
        pytest.raises(InUse, match="somebody is here"),
        alone_in(str(tmp_path), "somebody is here"),
    ):
        pass
    with alone_in(str(tmp_path), "again"):
        pass
