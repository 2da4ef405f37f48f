"""The same changes have one diff ID: on every machine, for root and plain users, under every driver."""

import os

import pytest
from tests.commands import Lamina
from tests.images import tiny

DIFF_ID = "sha256:cd842af2c645f68bc0092ed0c313e62633047f38d65df4f177c66050aac1e8d6"
"""What `CHANGES` gave when this test was written, as root with the sealed driver."""

CHANGES = """
set -e
mkdir -p /data/below/empty
for number in 1 2 3 4 5 6 7 8 9; do echo "file $number" > /data/below/$number; done
ln /data/below/3 /data/third
ln -s below/4 /data/fourth
mkfifo /data/pipe
chmod 4750 /data/below/5
dd if=/dev/zero of=/data/zeros bs=1000 count=700 2> /dev/null
touch -d '2001-02-03 04:05:06' /data/below/6
echo more >> /etc/passwd
chmod 600 /etc/os-release
rm /etc/group
rm -r /home
echo a file now > /home
"""


# Plain users cannot mount sealed layers.
DRIVERS = ["sealed", "unpacked", "copied"] if os.geteuid() == 0 else ["unpacked", "copied"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_same_changes_have_one_diff_id(lamina: Lamina, driver: str):
    lamina.environ["LAMINA_STORAGE_DRIVER"] = driver
    lamina.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    lamina("import", "-", "tiny:1", stdin=tiny())
    lamina("run", "--name", "box", "tiny:1", "/bin/sh", "-c", CHANGES)
    lamina("commit", "box", "changed:1")
    layers = lamina("inspect", "-f", '{{join .RootFS.Layers " "}}', "changed:1").split()
    assert len(layers) == 2
    assert layers[1] == DIFF_ID
