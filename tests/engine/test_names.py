import os

import pytest

from lamina.engine.names import (
    ContainerUnknown,
    NameInvalid,
    NameTaken,
    Register,
    check_name,
    generate,
)
from lamina.errors import Invalid

ONE, TWO = "1" * 64, "12" * 32


@pytest.fixture
def register(tmp_path) -> Register:
    for container in (ONE, TWO):
        (tmp_path / container).mkdir()
    return Register(str(tmp_path))


def test_generated_names_are_an_adjective_and_a_surname_of_many():
    names = {generate() for _ in range(2000)}
    assert len(names) > 1500
    assert all(check_name(name) == name and name.count("_") == 1 for name in names)


@pytest.mark.parametrize("name", ["", "a", "-a", "a b", "ü1", "a/b"])
def test_names_that_docker_refuses_are_refused(name: str):
    with pytest.raises(NameInvalid, match="Invalid container name"):
        check_name(name)


def test_a_name_belongs_to_one_container(register: Register):
    assert register.claim("/db", ONE) == "db"
    assert register.claim("db", ONE) == "db"
    with pytest.raises(NameTaken, match='The container name "/db" is already in use by container'):
        register.claim("db", TWO)


def test_the_name_of_a_container_that_is_gone_can_be_taken(register: Register, tmp_path):
    register.claim("db", ONE)
    (tmp_path / ONE).rmdir()
    assert register.claim("db", TWO) == "db"
    register.free("db", ONE)
    assert register.holder("db") == TWO
    register.free("db", TWO)
    assert register.holder("db") == ""


def test_no_name_asked_for_is_a_generated_one(register: Register):
    assert register.holder(register.claim("", ONE)) == ONE


def test_a_container_is_found_by_name_id_and_the_start_of_its_id(register: Register):
    register.claim("db", TWO)
    assert register.resolve("db") == register.resolve("/db") == TWO
    assert register.resolve(ONE) == ONE
    assert register.resolve("12") == TWO
    with pytest.raises(Invalid, match="Multiple IDs found"):
        register.resolve("1")
    for text in ("none", "", "a/b"):
        with pytest.raises(ContainerUnknown, match="No such container"):
            register.resolve(text)


def test_ids_are_the_folders_with_ids_for_names(register: Register, tmp_path):
    assert sorted(register.ids()) == [ONE, TWO]
    assert Register(str(tmp_path / "none")).ids() == []
    assert os.path.basename(register.path("x")) == "x"


def test_every_name_of_a_container_goes_with_it(register: Register):
    for name, holder in (("one", ONE), ("other", TWO), ("two", ONE)):
        register.claim(name, holder)
    register.free_all(ONE)
    assert [register.holder(name) for name in ("one", "other", "two")] == ["", TWO, ""]
