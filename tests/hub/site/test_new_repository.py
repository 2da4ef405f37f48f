"""A repository made on a page, before anything was pushed to it."""

import pytest

from lamina.hub.access import Caller

PATH = "/repositories/new"


@pytest.fixture(scope="module", autouse=True)
def acme(hub) -> None:
    """acme of alice's."""
    hub.services.organisations.create(Caller("alice"), "acme")


def test_one_makes_a_private_repository_and_pushes_to_it(owner, visitor, alice, nobody):
    assert f'href="{PATH}"' in owner.get("/alice").text
    page = owner.get(PATH).text
    assert ("<option >alice</option>" in page, "<option >acme</option>" in page) == (True, True)
    answer = owner.post(
        PATH, namespace="alice", name="app", summary="What it is", visibility="private"
    )
    assert (answer.status, answer.headers["location"]) == (303, "/alice/app")
    page = owner.get("/alice/app").text
    assert ("private" in page, "What it is" in page, "lamina push" in page) == (True, True, True)
    assert "Last push" not in page
    alice.image("alice/app")
    assert nobody.get("/v2/alice/app/manifests/v1").status == 401
    assert visitor.get("/alice/app").status == 404
    assert "Last push" in owner.get("/alice/app").text


def test_an_organisations_page_leads_to_the_form_and_lists_what_is_empty(owner, visitor):
    assert f'href="{PATH}?namespace=acme"' in owner.get("/acme").text
    assert "<option selected>acme</option>" in owner.get(f"{PATH}?namespace=acme").text
    assert owner.post(PATH, namespace="acme", name="a/b", visibility="public").status == 303
    assert "/acme/a/b" in owner.get("/acme").text
    page = visitor.get("/acme").text
    assert ("/acme/a/b" in page, PATH in page) == (False, False)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"name": "Up"}, 400, "Lower-case letters"),
        ({"name": ""}, 400, "Lower-case letters"),
        ({"name": "x", "summary": "x" * 161}, 400, "At most 160"),
        ({"name": "x", "namespace": "bob"}, 403, "may not push"),
        ({"name": "x", "namespace": ""}, 400, "Lower-case letters"),
        ({"name": "twice"}, 409, "is there already"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(
    owner, fields, status, words
):
    owner.post(PATH, namespace="alice", name="twice", visibility="public")
    answer = owner.post(PATH, **{"namespace": "alice", "visibility": "public", **fields})
    assert answer.status == status
    assert words in answer.text
    assert f'value="{fields["name"]}"' in answer.text
    assert answer.text.count('role="alert"') == 1


def test_who_is_not_signed_in_signs_in_first(visitor):
    for answer in (visitor.get(PATH), visitor.post(PATH, token="", namespace="alice", name="x")):
        assert answer.headers["location"] == f"/signin?next={PATH}"
