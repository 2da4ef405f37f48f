"""The pump: order kept, failures handed over, nobody left waiting."""

import threading

import pytest

from lamina.image.pump import Pump


def test_pieces_arrive_in_order_and_all_of_them():
    taken: list[bytes] = []
    with Pump(taken.append) as pump:
        for number in range(1000):
            pump.put(b"%d" % number)
        pump.close()
    assert taken == [b"%d" % number for number in range(1000)]


def test_failure_comes_out_of_a_later_put_or_of_close_and_never_blocks():
    def refuse(piece: bytes) -> None:
        raise ValueError(piece)

    with Pump(refuse) as pump, pytest.raises(ValueError, match="x"):
        for _ in range(100):
            pump.put(b"x")
        pump.close()


def test_slow_taker_holds_the_giver_back():
    gate = threading.Event()
    with Pump(lambda _: gate.wait(100)) as pump:
        gave: list[int] = []

        def give() -> None:
            for number in range(50):
                pump.put(b"x")
                gave.append(number)

        giver = threading.Thread(target=give)
        giver.start()
        giver.join(0.2)
        assert giver.is_alive()
        assert len(gave) < 20
        gate.set()
        giver.join()
        pump.close()
    assert len(gave) == 50


def test_leaving_after_a_failure_of_the_giver_ends_the_thread():
    before = set(threading.enumerate())
    with pytest.raises(RuntimeError), Pump(lambda _: None) as pump:
        pump.put(b"x")
        raise RuntimeError
    assert not set(threading.enumerate()) - before
