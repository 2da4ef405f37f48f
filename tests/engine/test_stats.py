import os

from lamina.engine.stats import Sample, _network, _table, share


def test_a_share_is_of_one_processor_and_never_negative():
    before, after = Sample(cpu_s=1, taken_s=10), Sample(cpu_s=4, taken_s=12)
    assert share(before, after) == 1.5
    assert share(after, Sample(cpu_s=1, taken_s=14)) == 0
    assert share(before, before) == 0


def test_tables_of_the_kernel_are_read():
    assert _table(f"/proc/{os.getpid()}/status")["Pid"] == os.getpid()


def test_the_network_of_a_process_that_is_gone_is_nothing():
    assert _network(2**22 + 1) == (0, 0)
    assert all(count >= 0 for count in _network(os.getpid()))
