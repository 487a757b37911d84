"""Kinds of catastrophes: each on texts that are one and on texts that look like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.catastrophe_kinds import KINDS, catastrophe_kinds, is_other_task, new_kinds

TEXT = "please hold the line until the next agent is free"
MADE_UP = "thank you for watching see you next time"
LONG = (
    "the morning train to the coast was late again because of the snow on the line and nobody at the station could say "
    "when the next one would leave for the harbour"
)


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        (TEXT, ()),
        ("", ("empty",)),
        ("please hold the line", ("length", "truncated tail")),
        ("please hold the line until the next", ("truncated tail",)),
        ("please hold the line until the next agent", ()),
        ("please hold hold hold hold the line until the next agent is free", ("loop",)),
        ("please hold the line the line the line the line until the next agent is free", ("loop",)),
        ("please please hold the line until the next agent is free", ()),
        (f"{TEXT} and thank you for calling our friendly service team once more today", ("length",)),
        ("seven nine two", ("length", "unrelated")),
        (" ".join(["so"] * 200), ("loop", "length", "unrelated")),
    ],
)
def test_a_catastrophe_is_told_from_an_error(hypothesis: str, expected: tuple[str, ...]) -> None:
    assert catastrophe_kinds(TEXT, hypothesis) == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis"),
    [
        ("seven seven seven seven", "seven seven seven seven"),
        ("seven seven seven seven", "seven seven seven seven seven"),
        ("one two", "one two one two"),
        ("yes", "yes i do"),
        ("a b c", "a"),
    ],
)
def test_what_people_say_and_small_slips_are_no_catastrophes(reference: str, hypothesis: str) -> None:
    assert catastrophe_kinds(reference, hypothesis) == ()


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        ("係員が出るまでそのままお待ちください", ()),
        ("係員が 出るまで そのまま お待ちください", ()),
        ("係員が出るまで", ("length", "truncated tail")),
        ("係員が出るまでそのままそのままそのままそのままそのままお待ちください", ("loop",)),
        ("はい", ("length", "unrelated")),
        ("", ("empty",)),
    ],
)
def test_characters_stand_for_words_where_no_space_does(hypothesis: str, expected: tuple[str, ...]) -> None:
    assert catastrophe_kinds("係員が出るまでそのままお待ちください", hypothesis, spaced=False) == expected


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=40).map(" ".join))
def test_saying_what_was_said_is_never_a_catastrophe(text: str) -> None:
    assert catastrophe_kinds(text, text) == ()


def new(reference: str, candidate: str, baseline: str | None = None, language: str | None = None) -> tuple[str, ...]:
    """Return the new kinds of a candidate whose baseline says the reference, unless told otherwise."""
    return new_kinds(reference, reference if baseline is None else baseline, candidate, language=language)


@pytest.mark.parametrize("reference", [TEXT, LONG, "alpha bravo echo golf hotel", "cinco horas y veinte minutos"])
def test_what_whisper_makes_up_is_unrelated(reference: str) -> None:
    assert "unrelated" in new(reference, MADE_UP)


def test_a_short_answer_that_is_wrong_is_an_error() -> None:
    assert new("yes i do", "no she does") == ()


@pytest.mark.parametrize(
    ("baseline", "kinds"),
    [
        (TEXT, ("unrelated",)),
        ("please hold the line until an ext egg is three", ("unrelated",)),
        ("plays old the lion until a next egg is three", ()),  # less than half is there to be lost
        ("plays old a lion till an ext egg was three", ()),
    ],
)
def test_unrelated_is_what_loses_most_of_what_the_baseline_has(baseline: str, kinds: tuple[str, ...]) -> None:
    assert new(TEXT, MADE_UP, baseline) == kinds


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        (f"{TEXT} {TEXT}", ("repetition", "length")),
        ("please hold the line until the next agent hold the line until the next agent is free", ("repetition",)),
        ("please hold the line until please hold the line until the next agent is free", ("repetition",)),
        ("please hold the line please hold the line until the next agent is free", ()),  # four words: people do
    ],
)
def test_a_long_phrase_that_is_said_twice_is_a_repetition(hypothesis: str, expected: tuple[str, ...]) -> None:
    assert catastrophe_kinds(TEXT, hypothesis) == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis"),
    [
        (f"{TEXT} i repeat {TEXT}", f"{TEXT} i repeat {TEXT}"),
        ("nine nine nine nine nine nine nine nine nine", "nine nine nine nine nine nine nine nine nine nine"),
        ("nine one nine one nine one nine one nine one", "nine one nine one nine one nine one nine one nine"),
    ],
)
def test_what_was_said_twice_is_no_repetition(reference: str, hypothesis: str) -> None:
    assert catastrophe_kinds(reference, hypothesis) == ()


@pytest.mark.parametrize(
    ("candidate", "baseline", "kinds"),
    [
        (LONG.replace("late again because of the snow on the line ", ""), None, ("lost passage",)),
        (LONG.partition("station")[0] + MADE_UP, None, ("lost passage",)),
        (LONG.replace("on the line ", ""), None, ()),
        (f"{LONG} {MADE_UP}", None, ("made-up passage",)),
        (f"{LONG} thank you", None, ()),
        (f"{LONG} {MADE_UP}", f"{LONG} please subscribe to my channel and see you soon", ()),
    ],
)
def test_eight_words_in_a_row_are_a_passage(candidate: str, baseline: str | None, kinds: tuple[str, ...]) -> None:
    assert new(LONG, candidate, baseline) == kinds


NUMBER = "five five five one two one two nine nine eight"


@pytest.mark.parametrize(
    ("reference", "candidate", "language", "kinds"),
    [
        ("5551212998", "55512", "en", ("length", "truncated tail", "lost number")),
        (NUMBER, "five five five one two", "en", ("length", "truncated tail", "lost number")),
        ("please call me at 5551212998 today", "please call me at 55512 today", "en", ("lost number",)),
        (f"please call me at {NUMBER} today", "please call me at five five five one two today", "en", ("lost number",)),
        (f"please call me at {NUMBER} today", "please call me at 555 121 2998 today", "en", ()),
        (f"please call me at {NUMBER} today", "please call me at 5551212998 today", "en", ()),
        ("please call me at 5551212998 today", "please call me at 555 121 2997 today", "en", ()),
        ("you owe us 1250.75 dollars since monday", "you owe us dollars since monday", "en", ("length", "lost number")),
        ("ruf heute noch fünf fünf fünf eins zwei neun an", "ruf heute noch fünf fünf an", "de", ("lost number",)),
        ("seven nine two", "seven nine", "en", ()),
        ("it costs five million dollars a year", "it costs five dollars a year", "en", ()),
        ("اتصل على ٥٥٥١٢١٢ غدا من فضلك", "اتصل على 5551212 غدا من فضلك", "ar", ()),
    ],
)  # fmt: skip
def test_digits_of_a_number_are_lost_however_they_are_written(
    reference: str, candidate: str, language: str, kinds: tuple[str, ...]
) -> None:
    assert new(reference, candidate, language=language) == kinds


def test_digits_that_the_baseline_lost_too_are_not_newly_lost() -> None:
    reference, cut = "please call me at 5551212998 today", "please call me at 55512 today"
    assert new(reference, cut, cut) == ()
    assert new(reference, "please call me at 555 today", cut) == ()


GERMAN = "ich habe das gestern nicht gewusst und Anna Meier auch nicht"
ENGLISH = "I did not know that yesterday and Anna Meier did not know that either"


@pytest.mark.parametrize("told", ["de", None])
def test_another_language_is_one_though_the_names_are_right(told: str | None) -> None:
    assert "other language" in new(GERMAN, ENGLISH, language=told)
    assert "other language" not in new(GERMAN, ENGLISH, ENGLISH, language=told)
    assert "other language" not in new(GERMAN, GERMAN.replace("gestern", "vor zwei Tagen"), language=told)


def test_numbers_tell_no_language_so_the_one_that_is_told_does() -> None:
    spoken = "siebzehn achtzehn neunzehn hundert"
    assert "other language" in new(spoken, MADE_UP, language="de")
    assert "other language" not in new(spoken, MADE_UP, language="en")


@pytest.mark.parametrize(
    ("reference", "candidate", "language"),
    [
        ("Добро јутро свима", "Dobro jutro svima", "sr"),
        ("Dobro jutro svima", "Добро јутро свима", None),
        ("我们的客服请您稍候", "我們的客服請您稍候", "zh"),
        ("我們的客服請您稍候", "我们的客服请您稍候", None),
        ("私たちは明日会いましょう", "watashitachi wa ashita aimashō", "ja"),
    ],
)
def test_another_script_is_one_unless_the_baseline_writes_it(
    reference: str, candidate: str, language: str | None
) -> None:
    spaced = " " in reference
    texts = {"spaced": spaced, "language": language}
    assert "other script" in new_kinds(reference, reference, candidate, **texts)
    assert "other script" not in new_kinds(reference, candidate, candidate, **texts)


@given(
    st.lists(
        st.sampled_from(["one", "two", "nine", "hundred", "you", "the", "nicht", "und", "555", "x"]),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(["en", "de", "sv", None]),
)
def test_what_the_baseline_says_is_new_of_no_kind_that_is_judged_against_it(
    words: list[str], language: str | None
) -> None:
    text = " ".join(words)
    assert new(TEXT, text, text, language) == tuple(
        kind for kind in catastrophe_kinds(TEXT, text, language=language) if kind != "unrelated"
    )
    assert set(new(text, TEXT, text, language)) <= set(KINDS)


@pytest.mark.parametrize(
    ("text", "asked", "other", "expected"),
    [
        ("monday the third of april", "lunes tres de abril", "monday the third of april", True),
        ("lunes tres de abril", "monday the third of april", "lunes tres de abril", True),
        ("lunes tres de abril", "lunes tres de abril", "monday the third of april", False),
        ("monday the three of april", "lunes tres de abril", "monday the third of april", True),  # badly translated
        ("lunes tres of april", "lunes tres de abril", "monday the third of april", False),  # of both
        ("", "lunes tres de abril", "monday the third of april", False),
        ("bye bye", "lunes tres de abril", "monday the third of april", False),
        ("lima 8 15", "lima 8 15", "lima 8 15", False),  # numbers and names are the same in both
        ("maría lima 555 1212 hello", "maría lima 555 1212 hola", "maría lima 555 1212 hello", False),  # one word tells
        ("six minutes dollars", "six minutes dollars", "six minutes dollars", False),
        ("你好 世界", "hello world", "你好 世界", True),
        ("hello world", "你好世界", "hello world", True),
    ],
)
def test_a_text_that_does_the_other_task_is_told(text: str, asked: str, other: str, expected: bool) -> None:
    assert is_other_task(text, asked, other) is expected
