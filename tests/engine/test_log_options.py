import pytest
from tests.engine.test_records import record

from lamina.engine.log_options import LogOptionInvalid, check_log_options, log_order
from lamina.engine.records import ContainerRecord

COMPRESS = "compress cannot be true when max-file is less than 2 or max-size is not set"


def logged(driver: str, options: dict[str, str]) -> ContainerRecord:
    labels = {"tier": "1", "other": "x", "com.a": "x", "com.b": "y"}
    return record(
        config={"Labels": labels, "Env": ["USER=me", "PATH=/"]},
        host={"LogConfig": {"Type": driver, "Config": options}},
    )


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("syslog", {}, "logger: no log driver named 'syslog' is registered"),
        ("json-file", {"max-sise": "1m"}, "unknown log opt 'max-sise' for json-file log driver"),
        ("none", {"max-size": "1m"}, "invalid logging opts for driver none"),
        ("local", {"labels": "a"}, "unknown log opt 'labels' for log driver local"),
        ("local", {"tag": "a"}, "unknown log opt 'tag' for log driver local"),
        ("json-file", {"max-size": "big"}, "invalid size: 'big'"),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"max-size": "1m", "max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"max-file": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("json-file", {"compress": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        ("json-file", {"compress": "true"}, COMPRESS),
        ("json-file", {"compress": "true", "max-size": "1m"}, COMPRESS),
        ("local", {"compress": "true", "max-file": "1"}, COMPRESS),
        ("json-file", {"mode": "odd"}, "logger: logging mode not supported: odd"),
        (
            "local",
            {"max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        ("local", {"mode": "non-blocking", "max-buffer-size": "x"}, "invalid size: 'x'"),
        ("json-file", {"tag": "{{.Nope}}"}, "log opt tag={{.Nope}}: there is no field '.Nope'"),
        ("json-file", {"tag": "{{"}, "log opt tag={{: there is no field 'here'"),
        (
            "json-file",
            {"labels-regex": "("},
            "invalid labels-regex '(': missing ), unterminated subpattern at position 0",
        ),
        ("json-file", {"max-file": "3"}, "max-file cannot be used without max-size"),
    ],
)
def test_what_cannot_be_is_refused_in_dockers_words(driver, options, words):
    with pytest.raises(LogOptionInvalid) as error:
        check_log_options(driver, options)
    assert error.value.message == words
    assert error.value.exit_code == 125


@pytest.mark.parametrize(
    ("driver", "hint"),
    [("passthrough", "--log-driver none"), ("k8s-file", "json-file"), ("x", "use")],
)
def test_a_driver_that_others_have_is_refused_with_what_does_the_same(driver, hint):
    with pytest.raises(LogOptionInvalid, match=f"no log driver named '{driver}'") as error:
        check_log_options(driver, {})
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("driver", "options", "order"),
    [
        ("json-file", {}, (0, 1, False)),
        ("json-file", {"max-size": "10m", "max-file": "3"}, (10_000_000, 3, False)),
        ("json-file", {"max-size": "1m", "max-file": "3", "compress": "true"}, (10**6, 3, True)),
        ("json-file", {"max-size": "1.5kb", "compress": "false"}, (1500, 1, False)),
        ("json-file", {"max-size": "-1", "mode": "blocking"}, (0, 1, False)),
        ("local", {}, (20_000_000, 5, True)),
        ("local", {"compress": "false"}, (20_000_000, 5, False)),
        ("local", {"max-file": "1"}, (20_000_000, 1, False)),
        ("local", {"max-size": "1g", "max-file": "2"}, (10**9, 2, True)),
        ("local", {"mode": "non-blocking", "max-buffer-size": "4m"}, (20_000_000, 5, True)),
    ],
)
def test_options_become_sizes(driver, options, order):
    check_log_options(driver, options)
    told = log_order(logged(driver, options))
    assert (told["max_size"], told["max_files"], told["compress"]) == order


def test_no_log_is_no_order_at_all():
    check_log_options("none", {})
    assert log_order(logged("none", {})) == {}


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ({"labels": "tier,none", "env": "USER"}, {"tier": "1", "USER": "me"}),
        ({"labels-regex": "^com"}, {"com.a": "x", "com.b": "y"}),
        ({"env-regex": "^(USER|PATH)$"}, {"USER": "me", "PATH": "/"}),
        ({"tag": "plain"}, {"tag": "plain"}),
        (
            {"tag": "{{.Name}}/{{ .ID }}/{{.ImageName}}!"},
            {"tag": "n/aaaaaaaaaaaa/i!"},
        ),
        ({"tag": "{{.FullID}} {{.Command}}"}, {"tag": f"{'a' * 64} sh -c echo 'a b'"}),
    ],
)
def test_labels_variables_and_the_tag_are_taken_along(options, attributes):
    check_log_options("json-file", options)
    assert log_order(logged("json-file", options))["attributes"] == attributes
