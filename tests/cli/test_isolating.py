from lamina.cli.flags import parse
from lamina.cli.isolating import FLAGS, joined_containers


def test_the_containers_whose_namespaces_are_asked_for_are_named():
    asked = parse(FLAGS, ["--pid", "container:a", "--ipc=container:b", "--uts", "host"])
    assert joined_containers(asked) == ("a", "b")
    assert joined_containers(parse(FLAGS, ["--pid=host"])) == ()
