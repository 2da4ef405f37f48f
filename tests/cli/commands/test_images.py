"""`lamina images` lists as docker does, in every form it has."""

import io
import json

import pytest
from tests.archives import archive
from tests.commands import Lamina
from tests.consoles import Console, console

from lamina.engine.engine import Engine
from lamina.settings import Settings

TABLE = """\
REPOSITORY        TAG       IMAGE ID       CREATED        SIZE
example.com/app   v1        {new}   2 months ago   705B
mysql             latest    {old}   3 years ago    736B
"""


def ids(shelf: Console) -> tuple[str, str]:
    new, old = shelf("images", "-q").split()
    return new, old


def test_images_are_listed_newest_first_in_dockers_columns(shelf: Console):
    new, old = ids(shelf)
    assert shelf("images") == TABLE.format(new=new, old=old)
    assert shelf("image", "ls") == shelf("images")


def test_an_empty_root_lists_headers_alone(settings: Settings):
    assert console(settings)("images") == "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n"
    assert console(settings)("images", "-q") == ""
    assert console(settings)("images", "--json") == "[]\n"


def test_ids_are_whole_on_request_and_listed_once(shelf: Console, engine: Engine):
    engine.images.tag("mysql", "other:name")
    whole = shelf("images", "-q", "--no-trunc").split()
    assert len(whole) == 2
    assert all(len(image_id) == len("sha256:") + 64 for image_id in whole)
    assert len(shelf("images").splitlines()) == 4


def test_a_word_chooses_the_names_that_fit(shelf: Console, engine: Engine):
    engine.images.tag("mysql", "mysql:5")
    assert [line.split()[:2] for line in shelf("images", "mysql").splitlines()[1:]] == [
        ["mysql", "5"],
        ["mysql", "latest"],
    ]
    assert len(shelf("images", "mysql:5").splitlines()) == 2
    assert len(shelf("images", "docker.io/library/mysql").splitlines()) == 3
    assert len(shelf("images", "nosuch").splitlines()) == 1


def test_an_image_without_a_name_shows_none(settings: Settings, engine: Engine):
    engine.images.load(io.BytesIO(archive()))
    line = console(settings)("images").splitlines()[1]
    assert line.split()[:2] == ["<none>", "<none>"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{{.Repository}}:{{.Tag}} {{.Size}}", "example.com/app:v1 705B\nmysql:latest 736B\n"),
        ("{{.ID | len}}", "12\n12\n"),
        (
            r"table {{.Repository}}\t{{upper .Tag}}",
            "REPOSITORY        TAG\nexample.com/app   V1\nmysql             LATEST\n",
        ),
        (r"{{.CreatedSince}}\t{{.Digest}}", "2 months ago\t<none>\n3 years ago\t<none>\n"),
    ],
)
def test_a_template_formats_each_line(shelf: Console, form: str, expected: str):
    assert shelf("images", "--format", form) == expected


def test_json_format_is_dockers_and_json_flag_is_exact(shelf: Console):
    rows = [json.loads(line) for line in shelf("images", "--format", "json").splitlines()]
    assert rows[1] == {
        "Containers": "N/A",
        "CreatedAt": "2024-01-02 03:04:07 +0000 UTC",
        "CreatedSince": "3 years ago",
        "Digest": "<none>",
        "ID": rows[1]["ID"],
        "Repository": "mysql",
        "SharedSize": "N/A",
        "Size": "736B",
        "Tag": "latest",
        "UniqueSize": "N/A",
        "VirtualSize": "736B",
    }
    exact = json.loads(shelf("images", "--json"))
    assert exact[1]["size"] == 736
    assert exact[1]["created"] == "2024-01-02T03:04:07Z"
    assert exact[1]["id"].startswith("sha256:" + rows[1]["ID"])
    assert exact[1]["digest"] is None


def test_a_field_that_is_not_there_is_refused_with_those_that_are(shelf: Console):
    said = shelf.run("images", "--format", "{{.Nmae}}")
    assert said.code == 1
    assert "can't evaluate field Nmae" in said.err
    assert ".Repository" in said.err


def test_json_and_format_contradict_each_other(shelf: Console):
    assert shelf.run("images", "--json", "--format", "json").code == 1


def test_a_template_that_cannot_be_read_ends_with_1_as_every_listings(shelf: Console):
    assert shelf.run("images", "--format", "{{.ID").code == 1
    assert shelf.run("info", "--format", "{{.ID").code == 64


def test_containers_tells_the_used_images_from_the_others(shelf: Console, lamina: Lamina):
    new, old = ids(shelf)
    lamina("create", "mysql", "true")
    assert shelf("images", "-q", "-f", "containers=true").split() == [old]
    assert shelf("images", "-q", "-f", "containers=false").split() == [new]


def test_digests_get_a_column_on_request(shelf: Console):
    assert shelf("images", "--digests").splitlines()[0].split() == [
        "REPOSITORY", "TAG", "DIGEST", "IMAGE", "ID", "CREATED", "SIZE",
    ]  # fmt: skip
