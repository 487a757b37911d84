"""The option table: precedence, what is refused, and that every refusal names its flag."""

import pytest

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.config.settings import parse_options
from pytest_whisperq.system.errors import ConfigError

BY_NAME = {option.name: option for option in OPTIONS}


def test_names_flags_and_ini_keys_are_unique_and_correspond() -> None:
    assert len(BY_NAME) == len(OPTIONS)
    assert BY_NAME["max-drop"].flag == "--whisperq-max-drop"
    assert BY_NAME["max-drop"].ini == "whisperq_max_drop"
    assert len({option.ini for option in OPTIONS}) == len(OPTIONS)


def test_defaults_hold_when_nothing_is_typed() -> None:
    values = parse_options({}, {})
    assert set(values) == set(BY_NAME)
    assert values["max-drop"] == 1.0
    assert values["max-divergence"] == 0.05
    assert values["confidence"] == 0.95
    assert values["decode-batch"] == 16
    assert values["seed"] == 0
    assert values["corpus"] == "embedded"
    assert values["smooth-quant"] == (0.5, 0.95)
    assert values["allow-fallback"] is False
    assert values["baseline"] == "transformers:float32"
    assert {name for name, value in values.items() if value is None} == {
        *(
            "backend",
            "precision",
            "candidate",
            "max-utterances",
            "shard",
            "merge",
            "normalizer",
            "metric",
            "waivers",
            "max-size-ratio",
        ),
        *("max-commit-lag", "limit", "ignored-blocks", "substitutions", "terms", "max-false-alarms"),
        "min-exact-match",  # no limit fits three words and thirty
        "calibration-samples",
        *("corpus-root", "audio-column", "text-column", "language-column", "language"),
        *("threads", "cache-dir", "calibration", "min-speedup", "max-energy-ratio", "merge-profile"),
        *("report", "save", "compare", "export"),
    }


def test_the_command_line_beats_ini_which_beats_the_default() -> None:
    key = BY_NAME["max-drop"].ini
    assert parse_options({key: "2"}, {key: "3"})["max-drop"] == 2.0
    assert parse_options({key: None}, {key: "3"})["max-drop"] == 3.0
    assert parse_options({}, {key: ""})["max-drop"] == 1.0


@pytest.mark.parametrize("name", ["backend", "candidate", "corpus", "max-drop", "seed"])
def test_an_empty_flag_is_an_error_and_not_an_absent_one(name: str) -> None:
    """``--whisperq-backend "$UNSET"`` would otherwise gate nothing and stay green."""
    with pytest.raises(ConfigError, match=f"^{BY_NAME[name].flag}: must be "):
        parse_options({BY_NAME[name].ini: ""}, {BY_NAME[name].ini: "1"})


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("max-drop", "much"),
        ("max-drop", "nan"),
        ("max-drop", "inf"),
        ("max-drop", "100.1"),
        ("min-exact-match", "80"),
        ("min-exact-match", "1"),  # no bound lies above it
        ("max-divergence", "0"),
        ("min-exact-match", "-0.1"),
        ("max-divergence", "5%"),
        ("confidence", "1"),
        ("confidence", "0.49"),
        ("confidence", "95"),
        ("threads", "0"),
        ("threads", "two"),
        ("decode-batch", "1.5"),
        ("max-utterances", "0"),
        ("seed", "-1"),
        ("allow-fallback", "perhaps"),
        ("smooth-quant", "0.5"),
        ("smooth-quant", "0.5,1.5"),
        ("smooth-quant", "0.5,0.5,0.5"),
        ("calibration-samples", "0"),
        ("ignored-blocks", "layers.3"),
        ("ignored-blocks", "encoder.layers"),
        ("ignored-blocks", "encoder.layers.3.fc2"),
        ("ignored-blocks", " , "),
        ("backend", " , ,"),
        ("model", "   "),
    ],
)
def test_unusable_values_name_flag_rule_and_value(name: str, typed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_options({BY_NAME[name].ini: typed}, {})
    assert str(caught.value).startswith(f"{BY_NAME[name].flag}: must be ")
    assert repr(typed) in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "means"), [("true", True), ("True", True), ("on", True), ("no", False), ("0", False)]
)
def test_a_switch_knows_the_usual_spellings(typed: str, means: bool) -> None:
    assert parse_options({}, {BY_NAME["allow-fallback"].ini: typed})["allow-fallback"] is means


def test_an_unusable_ini_value_is_blamed_on_the_ini_key() -> None:
    with pytest.raises(ConfigError, match=r"^whisperq_seed \(ini\): must be a whole number"):
        parse_options({}, {"whisperq_seed": "x"})


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("backend", "openvino, ctranslate2,openvino,", ("openvino", "ctranslate2")),
        ("candidate", "openvino:int8", ("openvino:int8",)),
        ("confidence", "0.5", 0.5),
        ("min-exact-match", "0.99", 0.99),
        ("max-drop", "-0.5", -0.5),
        ("threads", "2", 2),
        ("corpus", " calls/ ", "calls/"),
    ],
)
def test_values_are_parsed(name: str, typed: str, value: object) -> None:
    assert parse_options({BY_NAME[name].ini: typed}, {})[name] == value


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.default], ids=lambda option: option.name)
def test_every_default_obeys_its_own_rule(option: object) -> None:
    assert option.parse(option.default) == parse_options({}, {})[option.name]
