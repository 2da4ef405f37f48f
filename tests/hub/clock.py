"""A clock that stands until a test moves it."""

__all__ = ["Time"]


class Time:
    """Give `now`, in seconds since 1970."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now
