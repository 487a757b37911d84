"""Words or characters, by the languages of a corpus."""

from collections.abc import Callable

import pytest

from pytest_whisperq.measuring.metric import choose_metric, mixture
from pytest_whisperq.measuring.pairs import PairedTexts

Pairs = Callable[..., PairedTexts]


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        (["en", "fr", None], "wer"),
        (["ja", "ja", "zh"], "cer"),
        (["th", "yue", "my"], "cer"),
        ([None, None, None], "wer"),
        (["en", "ja", "zh"], "mer"),
    ],
)
def test_the_languages_decide(spoken: list[str | None], expected: str, make_pairs: Pairs) -> None:
    assert choose_metric(make_pairs(["a", "b", "c"], spoken=spoken).corpus) == expected


def test_a_script_tells_where_no_language_is_stated(make_pairs: Pairs) -> None:
    assert choose_metric(make_pairs(["你好", "谢谢"]).corpus) == "cer"


def test_a_mixture_is_named_with_what_is_mixed_and_how_it_is_judged(make_pairs: Pairs) -> None:
    corpus = make_pairs(["a", "b", "你好", "谢谢"], spoken=["en", "en", "zh", None]).corpus
    assert choose_metric(corpus) == "mer"
    assert mixture(corpus) == (
        "made mixes languages written with spaces (2 en) and without (1 no language stated, 1 zh): errors are counted "
        "in words of those and in characters of these, the mixed error rate (MER); --whisperq-metric chooses another"
    )
    assert mixture(make_pairs(["a", "b"]).corpus) == ""


def test_nobody_speaking_is_no_mixture(make_pairs: Pairs) -> None:
    silent = make_pairs(["", "你好"], spoken=["en", "zh"], kinds=["nonspeech", ""])
    assert choose_metric(silent.corpus) == "cer"
    assert choose_metric(make_pairs([""], kinds=["nonspeech"]).corpus) == "wer"
