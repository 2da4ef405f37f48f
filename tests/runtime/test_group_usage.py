import os

from lamina.runtime import hierarchies
from lamina.runtime.group_usage import Usage, usage


def test_memory_is_counted_without_cached_files_and_time_with_what_ended(unified, monkeypatch):
    box = unified / "lamina/box"
    box.mkdir(parents=True)
    assert usage("none", os.getpid()) == Usage()
    (box / "memory.current").write_text("1000\n")
    (box / "memory.stat").write_text("anon 600\ninactive_file 300\n")
    (box / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    monkeypatch.setattr(hierarchies, "groups_of", lambda _table: {"": "/lamina/box"})
    assert usage("box", 1) == Usage(700, 1.5)
    assert usage("other", 1) == Usage(), "a group that it shares says nothing of it"
