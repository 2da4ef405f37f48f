from lamina.events import LayerProgress, Notice, Phase, silent


def test_events_are_values():
    assert LayerProgress("abc", Phase.DOWNLOADING, 1, 2) == LayerProgress(
        "abc", Phase.DOWNLOADING, 1, 2
    )
    assert hash(Notice("text")) == hash(Notice("text"))


def test_phases_say_what_docker_says():
    assert Phase.PULLED.value == "Pull complete"
    assert Phase.PRESENT.value == "Layer already exists"
    assert len({phase.value for phase in Phase}) == len(Phase)


def test_the_silent_listener_takes_every_event():
    silent(Notice("text"))
    silent(LayerProgress("abc", Phase.WAITING))
