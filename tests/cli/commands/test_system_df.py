"""`lamina system df` adds up what is on disk."""

import json

from tests.consoles import Console
from tests.engine.test_census import du

from lamina.engine.engine import Engine


def test_the_table_has_dockers_rows_and_columns(shelf: Console):
    lines = shelf("system", "df").splitlines()
    assert lines[0] == "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE"
    assert [line[:16].rstrip() for line in lines[1:]] == [
        "Images", "Containers", "Local Volumes", "Build Cache", "Downloads", "Kept for Undo", "Other",
    ]  # fmt: skip
    assert lines[1].split()[1:3] == ["2", "0"]
    assert lines[1].endswith("(100%)")
    assert lines[2].split() == ["Containers", "0", "0", "0B", "0B"]


def test_verbose_lists_every_image_and_container(shelf: Console):
    text = shelf("system", "df", "-v")
    assert text.startswith("Images space usage:\n\nREPOSITORY ")
    assert "\nContainers space usage:\n\nCONTAINER ID   IMAGE " in text
    assert "mysql             latest " in text
    assert "\nLocal Volumes space usage:\n\nVOLUME NAME   LINKS     SIZE\n" in text
    assert "\nlamina rmi --now IMAGE        UNIQUE SIZE of the image\n" in text


def test_json_and_templates_have_the_numbers(shelf: Console):
    rows = json.loads(shelf("system", "df", "--json"))
    assert rows[0]["type"] == "Images"
    assert rows[0]["reclaimable"] == rows[0]["size"] > 0
    assert shelf("system", "df", "--format", "{{.Type}}").splitlines()[0] == "Images"


def test_verbose_json_says_in_bytes_what_du_says(shelf: Console, engine: Engine):
    told = json.loads(shelf("system", "df", "-v", "--json"))
    assert told["size"] == sum(share["size"] for share in told["shares"]) == du(engine.store.root)
    assert {name for image in told["images"] for name in image["names"]} == {
        "docker.io/library/mysql:latest",
        "example.com/app:v1",
    }
    assert all(image["size"] == image["shared"] + image["unique"] for image in told["images"])
