"""One wait for everything that a file system holds back."""

import pytest

from lamina.hub.storage.whole_disk import sync_file_system


def test_what_was_written_is_waited_for_and_a_folder_that_is_not_there_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"held back")
    sync_file_system(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        sync_file_system(str(tmp_path / "none"))
