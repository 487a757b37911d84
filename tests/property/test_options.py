"""Whatever is typed is a value within its range or a ConfigError that names the flag and what was typed."""

import math

from hypothesis import example, given
from hypothesis import strategies as st

from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.config.settings import parse_options
from pytest_whisperq.system.errors import ConfigError

RANGES = {
    "max-drop": (-100, 100),
    "min-exact-match": (0, 1),
    "max-divergence": (0, 1),
    "confidence": (0.5, math.nextafter(1, 0)),
    "threads": (1, math.inf),
    "decode-batch": (1, math.inf),
    "max-utterances": (1, math.inf),
    "seed": (0, math.inf),
}
numbers = (
    st.floats().map(str) | st.integers().map(str) | st.sampled_from(["1e400", "0x10", "1_0", "½", " 1 ", "9" * 5000])
)


@given(option=st.sampled_from(OPTIONS), typed=numbers | st.text(max_size=12))
@example(option=OPTIONS[0], typed="")
def test_every_typed_text_is_a_value_in_range_or_an_error_naming_it(option: object, typed: str) -> None:
    try:
        value = parse_options({option.ini: typed}, {option.ini: "also typed"})[option.name]
    except ConfigError as error:
        message = str(error)
    else:
        low, high = RANGES.get(option.name, (None, None))
        is_said = value or isinstance(value, bool)  # neither empty text nor an empty list of names
        assert is_said if low is None else low <= value <= high
        return
    assert message.startswith(f"{option.flag}: must be ")
    assert repr(typed) in message


@given(names=st.lists(st.text("abcd-:0123", min_size=1), min_size=1))
def test_lists_keep_their_order_and_lose_repetitions(names: list[str]) -> None:
    found = parse_options({"whisperq_candidate": " , ".join(names)}, {})["candidate"]
    assert found == tuple(dict.fromkeys(names))


@given(low=st.floats(-100, 100))
def test_numbers_keep_every_digit(low: float) -> None:
    assert parse_options({"whisperq_max_drop": repr(low)}, {})["max-drop"] == low
