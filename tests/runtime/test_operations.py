import pytest

from lamina.errors import Invalid
from lamina.runtime.operations import operate
from lamina.runtime.shim import Shim


def test_what_a_shim_does_not_know_is_refused():
    with pytest.raises(Invalid, match="unknown operation 'dance'"):
        operate(Shim.__new__(Shim), {"op": "dance"}, None)  # type: ignore[arg-type]
