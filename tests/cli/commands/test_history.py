"""`lamina history` shows the steps as docker does."""

import json

from tests.consoles import Console


def test_steps_are_listed_newest_first_in_dockers_columns(shelf: Console):
    image_id = shelf("images", "-q", "mysql").strip()
    assert shelf("history", "mysql").splitlines() == [
        "IMAGE          CREATED       CREATED BY                             SIZE      COMMENT",
        f'{image_id}   3 years ago   CMD ["sleep" "3600"]                   0B        ',
        (
            "<missing>      3 years ago   RUN /bin/sh -c initialise # buildkit   36B       "
            "buildkit.dockerfile.v0"
        ),
        "<missing>      3 years ago   /bin/sh -c #(nop) ADD file:12 in /     700B      ",
    ]


def test_sizes_and_times_are_exact_when_not_for_people(shelf: Console):
    lines = shelf("history", "--human=false", "--format", "{{.CreatedSince}} {{.Size}}", "mysql")
    assert lines.splitlines()[1] == "2024-01-02T03:04:06Z 36"


def test_quiet_gives_ids_alone_and_no_trunc_whole_ones(shelf: Console):
    assert shelf("history", "-q", "--no-trunc", "mysql").splitlines()[0].startswith("sha256:")
    assert shelf("history", "-q", "mysql").splitlines()[1:] == ["<missing>", "<missing>"]


def test_json_has_numbers_and_nulls(shelf: Console):
    rows = json.loads(shelf("history", "--json", "mysql"))
    assert [row["size"] for row in rows] == [0, 36, 700]
    assert rows[1]["id"] is None
