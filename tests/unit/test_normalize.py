"""The normalizers: each under its name and version, with the default chosen by language."""

import jiwer
import pytest

from pytest_whisperq import normalize
from pytest_whisperq.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("identity", "  It's\n 3 o'clock! ", "It's 3 o'clock!"),
        ("whisper-basic", "¡Hola,  Señor—Müller!", "hola señor müller"),
        ("whisper-basic", "a [noise] b (cough)", "a b"),
        ("whisper-english", "Mr. Neil won't pay twenty-one dollars", "mister neil will not pay $21"),
        ("whisper-english", "The colour, um, of grey", "the color of gray"),
        ("wer-standardize", "  I'm HERE, <noise> now ", "i am here, now"),
    ],
)
def test_what_each_normalizer_does(name: str, text: str, expected: str) -> None:
    assert normalize.get(name)(text) == expected


@pytest.mark.parametrize("name", normalize.NORMALIZERS)
@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_nothing_stays_nothing(name: str, text: str) -> None:
    assert normalize.get(name)(text) == ""


def test_wer_standardize_scores_as_jiwer_does() -> None:
    """The published int8 comparisons called jiwer with its own transformation."""
    reference, hypothesis = "Don't STOP  me, now [laugh]", "do not stop me now"
    ours = normalize.get("wer-standardize")
    expected = jiwer.wer(
        reference,
        hypothesis,
        reference_transform=jiwer.wer_standardize,
        hypothesis_transform=jiwer.wer_standardize,
    )
    assert expected > 0
    assert jiwer.wer(ours(reference), ours(hypothesis)) == expected


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ({"en"}, "whisper-english"),
        ({"en", "de"}, "whisper-basic"),
        ({"en", None}, "whisper-basic"),
        ((), "whisper-basic"),
    ],
)
def test_english_gets_the_english_normalizer_and_nothing_else_does(languages: set[str | None], expected: str) -> None:
    assert normalize.choose(None, frozenset(languages)) == expected
    assert normalize.choose("identity", frozenset(languages)) == "identity"


def test_an_unknown_normalizer_lists_the_valid_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"'whisper'.*valid: identity, wer-standardize, whisper-basic, whisper-english"
    ):
        normalize.get("whisper")


@pytest.mark.parametrize(
    ("name", "version"),
    [("identity", "1"), ("whisper-english", "whisper-normalizer 0."), ("wer-standardize", "jiwer 4.")],
)
def test_a_normalizer_names_the_code_that_does_it(name: str, version: str) -> None:
    assert str(normalize.get(name)).startswith(f"{name} ({version}")
