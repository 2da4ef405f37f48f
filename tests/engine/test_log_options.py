import pytest

from lamina.engine.log_options import LogOptionInvalid, check_log_options, log_order
from lamina.errors import Unsupported


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("syslog", {}, "logger: no log driver named 'syslog' is registered"),
        ("json-file", {"max-sise": "1m"}, "unknown log opt 'max-sise' for json-file log driver"),
        ("none", {"max-size": "1m"}, "unknown log opt 'max-size' for none log driver"),
        ("local", {"labels": "a"}, "unknown log opt 'labels' for local log driver"),
        ("json-file", {"max-size": "big"}, "invalid size: 'big'"),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"max-size": "1m", "max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"max-file": "x"}, "invalid value for max-file: x"),
        ("json-file", {"max-file": "3"}, "max-file cannot be used without max-size"),
    ],
)
def test_what_cannot_be_is_refused_in_dockers_words(driver, options, words):
    with pytest.raises(LogOptionInvalid) as error:
        check_log_options(driver, options)
    assert error.value.message == words
    assert error.value.exit_code == 125


@pytest.mark.parametrize("option", [{"tag": "x"}, {"compress": "true"}, {"env-regex": "a"}])
def test_what_is_not_done_is_said(option):
    with pytest.raises(Unsupported):
        check_log_options("json-file", option)


@pytest.mark.parametrize(
    ("driver", "options", "order"),
    [
        ("json-file", {}, (0, 1)),
        ("json-file", {"max-size": "10m", "max-file": "3"}, (10_000_000, 3)),
        ("json-file", {"max-size": "1.5kb", "compress": "false"}, (1500, 1)),
        ("json-file", {"max-size": "-1"}, (0, 1)),
        ("local", {}, (20_000_000, 5)),
        ("local", {"max-size": "1g", "max-file": "2"}, (10**9, 2)),
    ],
)
def test_options_become_sizes(driver, options, order):
    check_log_options(driver, options)
    told = log_order({"LogConfig": {"Type": driver, "Config": options}}, {})
    assert (told["max_size"], told["max_files"]) == order


def test_no_log_is_no_order_and_labels_and_variables_are_taken_along():
    assert log_order({"LogConfig": {"Type": "none"}}, {}) == {}
    options = {"labels": "tier,none", "env": "USER"}
    config = {"Labels": {"tier": "1", "other": "x"}, "Env": ["USER=me", "PATH=/"]}
    told = log_order({"LogConfig": {"Type": "json-file", "Config": options}}, config)
    assert told["attributes"] == {"tier": "1", "USER": "me"}
