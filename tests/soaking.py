"""How much a test does: little in `make test`, much in `make soak`."""

from hypothesis import settings as hypothesis_settings

__all__ = ["sized"]

_LONG = 1000  # examples; only the profile `soak` has more


def sized(quick: int, soak: int) -> int:
    """Give `quick`, or `soak` where the property tests run with their many examples too."""
    profile = hypothesis_settings.default
    assert profile is not None
    return soak if profile.max_examples > _LONG else quick
