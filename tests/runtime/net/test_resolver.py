import struct

from lamina.runtime.net.resolver import Question, answer


class Names:
    def lookup(self, name: str, asker: str = "") -> tuple[str, ...]:
        known = {"db": ("10.5.0.2", "10.5.0.3"), "six": ("10.5.0.4", "fd12::4")}
        return known.get("six" if (name, asker) == ("linked", "10.5.0.2") else name, ())

    def called(self, address: str) -> str:
        return "db.back" if address in ("10.5.0.2", "fd12::4") else ""

    def servers(self, address: str) -> tuple[str, ...]:
        return ()


def question(name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return (
        struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)
    )


def ask(name: str, kind: int, asker: str = "") -> bytes:
    parsed = Question.parse(question(name, kind))
    assert parsed is not None
    return answer(parsed, Names(), asker)


def test_a_name_has_every_address_of_its_containers():
    reply = ask("DB", 1)
    number, flags, _, count, _, _ = struct.unpack_from("!HHHHHH", reply)
    assert (number, flags & 0x8000, flags & 15, count) == (7, 0x8000, 0, 2)
    assert reply.endswith(bytes([10, 5, 0, 3]))
    assert bytes([10, 5, 0, 2]) in reply


def test_a_known_name_without_ipv6_is_empty_and_not_unknown():
    reply = ask("db", 28)
    _, flags, _, count, _, _ = struct.unpack_from("!HHHHHH", reply)
    assert (flags & 15, count) == (0, 0)


def test_an_address_has_its_containers_name():
    assert ask("2.0.5.10.in-addr.arpa", 12).endswith(b"\x02db\x04back\0")


def test_what_the_network_does_not_know_is_for_others():
    assert ask("example.org", 1) == b""
    assert ask("9.0.5.10.in-addr.arpa", 12) == b""


def test_what_is_no_question_is_not_answered():
    whole = question("db", 1)
    assert Question.parse(b"") is None
    assert Question.parse(whole[:15]) is None
    assert Question.parse(whole[:2] + b"\x81\x80" + whole[4:]) is None, "an answer"
    assert Question.parse(struct.pack("!HHHHHH", 7, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1") is None


def test_each_kind_of_address_is_told_to_who_asks_for_it():
    four, six = ask("six", 1), ask("six", 28)
    assert four.endswith(bytes([10, 5, 0, 4]))
    assert six.endswith(b"\xfd\x12" + bytes(13) + b"\4")
    assert (four[7], six[7]) == (1, 1)


def test_an_ipv6_address_has_its_containers_name():
    nibbles = "4" + ".0" * 27 + ".2.1.d.f"
    assert ask(f"{nibbles}.ip6.arpa", 12).endswith(b"\x02db\x04back\0")
    assert ask("4.0.ip6.arpa", 12) == ask(f"x{nibbles[1:]}.ip6.arpa", 12) == b""


def test_a_link_is_known_to_its_container_alone():
    assert ask("linked", 1, "10.5.0.2").endswith(bytes([10, 5, 0, 4]))
    assert ask("linked", 1, "10.5.0.3") == b""
