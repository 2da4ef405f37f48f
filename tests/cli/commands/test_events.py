"""`lamina events`, of a container's whole life."""

from tests.commands import Lamina
from tests.images import tiny


def test_a_life_is_told_from_creation_to_the_end(lamina: Lamina):
    lamina("import", "-", "tiny", stdin=tiny())
    lamina.attempt("run", "--rm", "--name=brief", "-l=tier=1", "tiny", "sh", "-c", "exit 3")
    told = lamina("events", "--since=1h", "--until=0s", "--filter=container=brief").splitlines()
    assert [line.split()[2] for line in told] == ["create", "start", "die", "destroy"]
    assert told[2].endswith(" (exitCode=3, image=tiny, name=brief, tier=1)")
    form = "--format={{.Type}} {{.Actor.Attributes.exitCode}}"
    assert lamina("events", "--since=1h", "--until=0s", "-f=event=die", form) == "container 3\n"
    whole = lamina("events", "--since=1h", "--until=0s", "-f=event=die", "--format=json")
    assert '"timeNano":' in whole
