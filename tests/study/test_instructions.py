"""Commands of the history, as people wrote them."""

import pytest

from lamina.study.instructions import instruction


@pytest.mark.parametrize(
    ("created_by", "expected"),
    [
        ("/bin/sh -c #(nop) ADD file:12 in / ", "ADD file:12 in /"),
        ("/bin/sh -c apt-get  update", "RUN apt-get update"),
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("RUN |0 \t\x1b[31m\nmake", "RUN |0 ?[31m make"),
        ("", ""),
    ],
)
def test_an_instruction_is_one_line_of_a_dockerfile(created_by: str, expected: str):
    assert instruction(created_by) == expected
    assert instruction(created_by).isprintable()
