"""What holds of a normalizer, and of a score under it, whatever the text."""

import random
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_whisperq.measuring.accuracy import measure_accuracy
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.speech import normalizers

Pairs = Callable[..., PairedTexts]
text = st.text(max_size=40)
# Vowel signs of Arabic and Hebrew stand in few texts, and are taken off.
letters = st.text(
    st.characters(categories=("Lo", "Mn", "Mc")).filter(lambda char: not "\u0590" < char < "\u0700"), max_size=30
)
# Whisper's English normalizer is left out: of "oh twenty" it makes "020", and of that 20.
IDEMPOTENT = sorted({*normalizers.NORMALIZERS} - {"whisper-english", "whisper-english@1"})


@pytest.mark.parametrize("name", IDEMPOTENT)
@given(text=text)
def test_normalizing_again_changes_nothing(name: str, text: str) -> None:
    normalizer = normalizers.get(name)
    once = normalizer(text, "de")
    assert normalizer(once, "de") == once


@pytest.mark.parametrize("name", normalizers.NORMALIZERS)
@given(text=text, language=st.sampled_from(["en", "de", None]))
def test_words_are_parted_by_single_spaces(name: str, text: str, language: str | None) -> None:
    found = normalizers.get(name)(text, language)
    assert "  " not in found
    assert found == found.strip(" ")


# Fillers, numbers, contractions, brackets and marks: what Whisper's normalizers take away, and what may come between.
pieces = st.one_of(
    st.sampled_from(["and a half", "half", "point", "minus", "double", "oh", "zero", "hundred", "percent", "cents"]),
    st.sampled_from(["um", "hmm", "won't", "O'Brien", "alpha", "Mond", "IGLOO", "état", "[noise]", "1", "7th"]),
    st.sampled_from(["(", ")", "<", ">", "]", "&", "_"]),
    st.sampled_from(["'", "’", "-", ".", "%", "$", "\u0301", "\u00ad", "\u200b", "（", "\u3000", "\ufe0f"]),
    st.text(max_size=3),
)


@pytest.mark.parametrize("name", [name for name in normalizers.NORMALIZERS if normalizers.get(name).keeps])
@settings(max_examples=200)
@given(
    text=st.lists(st.tuples(pieces, st.sampled_from(["", " ", " "])), max_size=6).map(
        lambda said: "".join(map("".join, said))
    ),
    language=st.sampled_from(["en", "tr", None]),
)
def test_what_is_known_to_leave_words_does(name: str, text: str, language: str | None) -> None:
    normalizer = normalizers.get(name)
    assert normalizer.leaves_words(text, language) == bool(normalizer(text, language))


@given(text=letters)
def test_by_language_loses_no_letter_and_no_mark(text: str) -> None:
    composed = unicodedata.normalize("NFKC", text.lower())
    expected = [char for char in composed if char not in "\ufe0e\ufe0f" and not char.isspace()]
    found = normalizers.get("by-language")(text.lower(), "hi")
    assert sorted(found.replace(" ", "")) == sorted(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(st.tuples(text.filter(lambda said: said.split()), text, text), min_size=6, max_size=12),
    seed=st.integers(0, 99),
    metric=st.sampled_from(["wer", "cer"]),
)
def test_the_order_of_the_corpus_changes_no_score(
    said: list[tuple[str, str, str]], seed: int, metric: str, make_pairs: Pairs
) -> None:
    numbered = list(enumerate(said))
    shuffled = random.Random(seed).sample(numbered, len(numbered))
    found = []
    for rows in (numbered, shuffled):
        texts = make_pairs(*map(list, zip(*(row for _, row in rows), strict=True)), clips=[f"{n:02}" for n, _ in rows])
        drop = measure_accuracy(texts, metric=metric, drop_type="absolute", confidence=0.95).drop
        found.append((drop.value, drop.lower, drop.upper))
    assert found[0] == pytest.approx(found[1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(st.text("今日は晴れ", min_size=1, max_size=9), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_spaces_are_no_error_where_they_part_no_words(said: list[str], seed: int, make_pairs: Pairs) -> None:
    rng = random.Random(seed)
    typed = ["".join(char + rng.choice(["", " ", "\u3000"]) for char in line) for line in said]
    texts = make_pairs(said, typed, said, spoken=["ja"] * len(said))
    found = measure_accuracy(texts, metric="cer", drop_type="absolute", confidence=0.95)
    assert (found.baseline_rate, found.candidate_rate, found.length) == (0.0, 0.0, sum(map(len, said)))
