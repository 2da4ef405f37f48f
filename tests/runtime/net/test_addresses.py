import pytest

from lamina.runtime.net.addresses import Pool, candidates, number, private_subnet, subnets, text


def test_addresses_are_given_lowest_first_and_taken_back():
    pool = Pool("10.5.0.0/29")
    assert pool.gateway == "10.5.0.1"
    given = [pool.take() for _ in range(4)]
    assert given == ["10.5.0.2", "10.5.0.3", "10.5.0.4", "10.5.0.5"]
    assert pool.take() == "", "the last is the machine's own, the very last the broadcast"
    pool.free("10.5.0.3")
    assert pool.take() == "10.5.0.3"


@pytest.mark.parametrize("wanted", ["10.5.0.1", "10.5.0.0", "10.5.0.7", "10.6.0.2", "10.5.0.6"])
def test_an_address_that_is_not_free_is_not_given(wanted):
    assert Pool("10.5.0.0/29").take(wanted) == ""


def test_a_free_address_is_given_once():
    pool = Pool("10.5.0.0/24", "10.5.0.9")
    assert pool.take("10.5.0.77") == "10.5.0.77"
    assert pool.take("10.5.0.77") == ""
    assert pool.gateway == "10.5.0.9"


def test_a_route_into_a_subnet_or_past_it_meets_it():
    pool = Pool("172.18.0.0/16")
    assert pool.meets(number("172.18.4.0"), number("255.255.255.0"))
    assert pool.meets(number("172.16.0.0"), number("255.240.0.0"))
    assert not pool.meets(number("172.19.0.0"), number("255.255.0.0"))


def test_overlap_is_seen_from_both_sides():
    large, small, other = Pool("10.0.0.0/8"), Pool("10.5.0.0/24"), Pool("172.18.0.0/16")
    assert large.overlaps(small)
    assert small.overlaps(large)
    assert not other.overlaps(small)


def test_a_subnet_that_was_asked_for_is_the_only_candidate():
    wanted = {"subnet": "10.5.0.0/24", "gateway": "10.5.0.1", "fixed": True}
    assert list(candidates(wanted)) == [("10.5.0.0/24", "10.5.0.1")]
    found = list(candidates({**wanted, "fixed": False, "subnet": "172.18.0.0/16"}))
    assert len(found) == len(list(subnets()))
    assert len({subnet for subnet, _ in found}) == len(found)


def test_numbers_and_text_are_two_forms_of_one_address():
    assert text(number("192.168.3.4")) == "192.168.3.4"


def test_ipv6_addresses_are_given_as_ipv4_ones_are():
    pool = Pool("fd12:3::/64", reserved=("fd12:3::2",))
    assert (pool.gateway, pool.host) == ("fd12:3::1", "fd12:3::ffff:ffff:ffff:fffe")
    assert (pool.take(), pool.take("fd12:3::77"), pool.take("fd12:3::77")) == (
        "fd12:3::3",
        "fd12:3::77",
        "",
    )
    assert pool.take("fd12:4::9") == pool.take("10.0.0.1") == ""
    assert not pool.overlaps(Pool("10.0.0.0/8"))
    assert pool.overlaps(Pool("fd12::/16"))


def test_a_range_within_a_subnet_is_what_is_given():
    pool = Pool("10.5.0.0/24", span="10.5.0.16/30")
    assert pool.gateway == "10.5.0.16"
    assert [pool.take() for _ in range(4)] == ["10.5.0.17", "10.5.0.18", "10.5.0.19", ""]
    assert pool.take("10.5.0.99") == "10.5.0.99", "outside of the range for who asks for it"


def test_a_subnet_of_ones_own_is_private_and_different_each_time():
    one, two = private_subnet(), private_subnet()
    assert one != two
    assert Pool(one).overlaps(Pool("fd00::/8"))
    assert one.endswith("/64")
