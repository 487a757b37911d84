"""A subset keeps proportions, is nested, and depends on the seed and nothing else."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance, only_categories, only_english, subset
from pytest_whisperq.system.errors import CorpusError


def corpus(**sizes: int) -> Corpus:
    """Utterances in one stratum for each keyword: noise of that name."""
    names = [(noise, f"{noise}{number}") for noise, size in sizes.items() for number in range(size)]
    return Corpus(name="made", utterances=tuple(_utterance(noise, name) for noise, name in names))


def _utterance(noise: str, name: str) -> Utterance:
    return Utterance(id=name, where="", audio=AudioSource(label=name), reference="x", slices=(("noise", noise),))


def ids(found: Corpus) -> list[str]:
    return [item.id for item in found.utterances]


def noises(found: Corpus) -> Counter[str]:
    return Counter(dict(item.slices)["noise"] for item in found.utterances)


@pytest.mark.parametrize("size", [None, 10, 11])
def test_a_corpus_no_larger_than_asked_for_is_kept_whole(size: int | None) -> None:
    whole = corpus(clean=7, babble=3)
    assert subset(whole, size, 0) is whole


def test_strata_keep_their_share() -> None:
    assert noises(subset(corpus(clean=60, babble=30, music=10), 20, 0)) == {"clean": 12, "babble": 6, "music": 2}


def test_kind_and_language_are_strata_too() -> None:
    rows = [("human", "en"), ("human", "de"), ("synthetic", "en")] * 20
    made = Corpus(
        name="made",
        utterances=tuple(
            Utterance(id=str(n), where="", audio=AudioSource(label=""), reference="x", kind=kind, language=language)
            for n, (kind, language) in enumerate(rows)
        ),
    )
    found = Counter((item.kind, item.language) for item in subset(made, 6, 1).utterances)
    assert found == dict.fromkeys(rows, 2)


def test_a_larger_subset_contains_the_smaller_one() -> None:
    """With quotas by largest remainder the third stratum would lose its second utterance from 10 to 11."""
    whole = corpus(a=6, b=6, c=2)
    found = [set(ids(subset(whole, size, 0))) for size in range(1, 15)]
    assert all(small < large for small, large in pairwise(found))
    assert [len(one) for one in found] == list(range(1, 15))


def test_strata_of_one_utterance_are_represented_too() -> None:
    """A hundred noises heard once and one heard a hundred times: a fifth of either stays."""
    found = noises(subset(corpus(common=100, **{f"rare{n}": 1 for n in range(100)}), 40, 0))
    assert 10 <= found.pop("common") <= 30
    assert 10 <= sum(found.values()) <= 30


def test_the_order_of_the_manifest_does_not_matter_but_is_kept() -> None:
    whole = corpus(clean=30, babble=20)
    turned = Corpus(name="made", utterances=whole.utterances[::-1])
    assert ids(subset(turned, 12, 3)) == ids(subset(whole, 12, 3))[::-1]


def test_the_seed_decides() -> None:
    whole = corpus(clean=40)
    assert ids(subset(whole, 10, 1)) == ids(subset(whole, 10, 1))
    assert ids(subset(whole, 10, 1)) != ids(subset(whole, 10, 2))


def test_file_names_that_are_not_text_are_no_obstacle() -> None:
    odd = Corpus(name="made", utterances=tuple(_utterance("clean", f"caf\udce9{n}") for n in range(4)))
    assert len(subset(odd, 2, 0).utterances) == 2


def spoken(*languages: str | None, kind: str = "") -> Corpus:
    """One utterance in each of the languages."""
    items = (
        Utterance(id=str(n), where="", audio=AudioSource(label=str(n)), reference="x", language=language, kind=kind)
        for n, language in enumerate(languages)
    )
    return Corpus(name="calls", utterances=tuple(items))


def test_an_english_only_model_hears_english_and_what_states_no_language() -> None:
    heard = only_english(spoken("fr", "en", None, "es"), "small.en")
    assert ids(heard) == ["1", "2"]
    assert heard.name == "calls, English only (2 of 4 utterances)"


def test_an_english_corpus_stays_as_it_is() -> None:
    whole = spoken("en", None)
    assert only_english(whole, "small.en") is whole


def test_a_corpus_without_english_is_none_for_an_english_only_model() -> None:
    silent = spoken(None, kind="nonspeech").utterances
    french = Corpus(name="appels", utterances=(*spoken("fr", "fr").utterances, *silent))
    with pytest.raises(CorpusError, match=r"appels has no utterance in English, and small\.en is English-only"):
        only_english(french, "small.en")


def labelled(references: list[str], **columns: list[str]) -> Corpus:
    """Utterances that say the references over and over, with what ``columns`` have for each, twenty times."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    items = (
        Utterance(
            id=str(n),
            where="",
            audio=AudioSource(label=str(n)),
            reference=references[n % len(references)],
            slices=tuple(rows[n % len(rows)].items()),
        )
        for n in range(20 * len(rows))
    )
    return Corpus(name="commands", utterances=tuple(items))


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("turn on the light", "Turn on the light!"),
        ("turn on the light", "TurnOnTheLight"),
        ("light on", "intent:lightOn"),
        ("turn on the light", "cmd 7 (turn-on-the-light)"),
        ("yes", "Yes."),
        ("yes", "answer: yes"),
        ("stop", "S.T.O.P."),
        ("un café", "Un cafe\N{COMBINING ACUTE ACCENT}"),
        ("de l'été", "De l\N{RIGHT SINGLE QUOTATION MARK}ete"),
        ("今日は", "今日は。"),
    ],
)
def test_a_column_that_says_what_was_said_is_no_category(reference: str, value: str) -> None:
    """Twenty commands in hundreds of recordings have few texts."""
    whole = labelled([reference, "another"], raw=[value, "-"], line=["1", "2"])
    assert {column for item in only_categories(whole).utterances for column, _ in item.slices} == {"line"}


def test_columns_that_say_something_else_stay() -> None:
    whole = labelled(["no", "I'm", "..."], noise=["noisy", "clean", "..."], line=["mine", "time", "home"])
    assert only_categories(whole) == whole


def test_what_a_column_is_called_does_not_make_it_one() -> None:
    whole = labelled(["music off", "lights on"], noise=["music off", "lights on"], language=["en", "en"])
    assert {column for item in only_categories(whole).utterances for column, _ in item.slices} == {"language"}


def test_of_columns_that_most_rows_leave_empty_those_stay_that_sort_the_others() -> None:
    """One value is a category where there is enough of it, and a note on two rows is none."""
    whole = labelled(["turn left", "turn right"], room=["echo", "echo"], note=["Mr Smith", "Mrs Jones"])
    kept = {"room": 20, "note": 2}
    items = tuple(
        item._replace(slices=tuple((column, value) for column, value in item.slices if number < kept[column]))
        for number, item in enumerate(whole.utterances)
    )
    found = only_categories(replace(whole, utterances=items))
    assert {column for item in found.utterances for column, _ in item.slices} == {"room"}
    assert found.withheld == ("note",)
    assert subset(found, 10, 0).withheld == ("note",)
