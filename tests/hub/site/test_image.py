"""An image's page as values."""

from tests.hub.clients import CONFIG, LAYER, MANIFEST, digest, document

from lamina.hub.site.image import picture
from lamina.spec.wire import decode


def layer(name: str, size: int, **more: object) -> dict[str, object]:
    return {"mediaType": LAYER, "digest": digest(name.encode()), "size": size, **more}


def image(
    layers: list[dict[str, object]], config: dict[str, object], kind: str = CONFIG
) -> tuple[bytes, bytes]:
    raw = document(config)
    pointer = {"mediaType": kind, "digest": digest(raw), "size": len(raw)}
    return document(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": pointer, "layers": layers}
    ), raw


CONFIGURATION: dict[str, object] = {
    "os": "linux", "architecture": "amd64", "created": "2026-11-20T10:00:00Z", "author": "me",
    "config": {
        "Entrypoint": ["/bin/tini", "--"], "Cmd": ["sh", "-c", "echo hi"], "Env": ["A=b"],
        "ExposedPorts": {"80/tcp": {}}, "Labels": {"k": "v"}, "User": "",
    },
    "rootfs": {"type": "layers", "diff_ids": [digest(b"1"), digest(b"2")]},
    "history": [
        {"created_by": "ADD base"}, {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "RUN /bin/sh -c make", "comment": "buildkit.dockerfile.v0", "author": "me"},
    ],
}  # fmt: skip


def test_layers_stand_topmost_first_beside_their_instructions():
    raw, config = image([layer("base", 900), layer("top", 100)], CONFIGURATION)
    drawn = picture(raw, MANIFEST, config)
    assert [(slab.number, slab.verb, slab.text, slab.size) for slab in drawn.slabs] == [
        (2, "RUN", "make", 100), (0, "ENV", "A=b", 0), (1, "ADD", "base", 900),
    ]  # fmt: skip
    assert [slab.share for slab in drawn.slabs] == [10.0, 0.0, 90.0]
    assert drawn.slabs[0].comment == ""
    assert (drawn.layers, drawn.is_artifact) == (2, False)


def test_texts_of_an_image_hide_nothing_and_are_no_books():
    config = {
        **CONFIGURATION,
        "config": {"Env": ["A=\u202egpj.exe", "B=\ud800", *(f"N{n}=1" for n in range(500))]},
        "history": [
            {"created_by": "RUN \x1b[31m", "author": "\u2066x"},
            {"created_by": "y" * 9000},
        ],
    }
    raw, text = image([layer("base", 900), layer("top", 100)], config)
    drawn = picture(raw, MANIFEST, text)
    environment = next(fact.values for fact in drawn.facts if fact.label == "Environment")
    assert environment[:2] == ("A=\\u202egpj.exe", "B=\\ud800")
    assert (len(environment), environment[-1]) == (201, "… and 302 more")
    assert (drawn.slabs[1].text, drawn.slabs[1].author) == ("\\u001b[31m", "\\u2066x")
    assert drawn.slabs[0].text.endswith("… (5000 more characters)")


def test_of_thousands_of_steps_the_topmost_are_shown():
    layers = [layer(f"l{n}", n) for n in range(3000)]
    config = {**CONFIGURATION, "history": [], "rootfs": {"type": "layers", "diff_ids": []}}
    raw, text = image(layers, config)
    drawn = picture(raw, MANIFEST, text)
    assert (drawn.layers, len(drawn.slabs), drawn.hidden) == (3000, 1000, 2000)
    assert [drawn.slabs[0].number, drawn.slabs[-1].number] == [3000, 2001]
    assert [drawn.plates[0].number, drawn.plates[-1].number] == [2001, 0]


def test_annotations_are_told():
    raw, _ = image([layer("a", 5)], {}, "application/vnd.example.config")
    noted = document({**decode(raw), "annotations": {"org.opencontainers.image.source": "here"}})
    facts = {fact.label: fact.values for fact in picture(noted, MANIFEST, b"{}").facts}
    assert facts["Annotations"] == ("org.opencontainers.image.source=here",)


def test_the_configuration_is_told_as_people_would_type_it():
    raw, config = image([layer("base", 900), layer("top", 100)], CONFIGURATION)
    facts = {fact.label: fact.values for fact in picture(raw, MANIFEST, config).facts}
    assert facts == {
        "Platform": ("linux/amd64",), "Created": ("2026-11-20T10:00:00Z",), "Author": ("me",),
        "Entrypoint": ("/bin/tini --",), "Command": ("sh -c 'echo hi'",), "Ports": ("80/tcp",),
        "Environment": ("A=b",), "Labels": ("k=v",),
    }  # fmt: skip


def test_layers_without_history_are_shown_too():
    raw, config = image([layer("a", 1), layer("b", 1)], {**CONFIGURATION, "history": []})
    assert [slab.number for slab in picture(raw, MANIFEST, config).slabs] == [2, 1]


def test_an_artifact_or_an_unreadable_configuration_shows_its_files():
    title = {"org.opencontainers.image.title": "chart.tgz"}
    raw, config = image(
        [layer("a", 5, annotations=title)], {}, "application/vnd.cncf.helm.config.v1+json"
    )
    drawn = picture(raw, MANIFEST, config)
    assert (drawn.is_artifact, drawn.slabs[0].text) == (True, "chart.tgz")
    raw, _ = image([layer("a", 5)], CONFIGURATION)
    assert picture(raw, MANIFEST, b"broken").is_artifact
