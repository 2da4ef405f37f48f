import pytest

from lamina.runtime.join import join
from lamina.runtime.process import Launch, StartFailed, Stdio
from lamina.spec.bundle import Account, ProcessSettings, runtime_process


def test_a_program_that_the_container_lacks_is_refused_before_anything_is_entered(tmp_path):
    import os

    process = runtime_process(ProcessSettings(("/nosuch/program",)), Account())
    launch = Launch("c", str(tmp_path), process, Stdio(), lambda: None, terminal=False)
    with pytest.raises(StartFailed, match="no such file or directory") as caught:
        join(os.getpid(), launch, Stdio(), -1)
    assert caught.value.exit_code == 127
