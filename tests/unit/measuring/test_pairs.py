"""Transcripts side by side under one normalizer."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_whisperq.measuring.pairs import Pair, PairedTexts, pair_texts, wordless_as_nonspeech
from pytest_whisperq.speech import normalizers
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.on_disk import Made


def test_all_three_texts_are_normalized_and_nonspeech_is_left_out(make_pairs: Callable[..., PairedTexts]) -> None:
    made = make_pairs(
        ["One, two.", ""], ["one TWO", "hm"], ["One three!", "ha"], clusters=["k", ""], kinds=["", "nonspeech"]
    )
    texts = pair_texts(made.corpus, normalizers.get("whisper-basic"), made.baseline, made.candidate)
    (pair,) = texts.pairs
    assert (pair.reference, pair.baseline, pair.candidate) == ("one two", "one two", "one three")
    assert texts.clusters == ("k",)


def test_a_reference_that_the_normalizer_empties_is_refused(make_pairs: Callable[..., PairedTexts]) -> None:
    made = make_pairs(["fine", "[laughs]"])
    with pytest.raises(
        CorpusError, match=r"metadata\.csv:3: nothing is left of the transcript '\[laughs\]'.*normalizer"
    ):
        pair_texts(made.corpus, normalizers.get("whisper-basic"), made.baseline, made.candidate)


def test_what_has_no_words_counts_as_a_clip_without_speech_and_is_noted(make_pairs: Callable[..., PairedTexts]) -> None:
    corpus = make_pairs(["fine", "Mm-hmm.", "uh, um", "[noise]", "good", "bad", "right"]).corpus
    left = wordless_as_nonspeech(corpus, lambda _: normalizers.get("whisper-english"))
    assert [item.reference for item in left.speech] == ["fine", "good", "bad", "right"]
    assert len(left.utterances) == 7
    names = ", ".join(item.id for item in corpus.utterances[1:4])
    assert left.notes[0].startswith(f"{names}: 3 transcripts have no words under whisper-english (")
    assert left.notes[0].endswith("); what is heard there counts as made up")
    assert wordless_as_nonspeech(left, lambda _: normalizers.get("whisper-english")) is left


def test_the_normalizer_that_is_chosen_for_the_rest_decides_what_has_words(
    make_pairs: Callable[..., PairedTexts],
) -> None:
    """Without the German "[lacht]" all is English, and under that normalizer "um" is nothing either."""
    corpus = make_pairs(["fine", "good", "well", "um", "[lacht]"], spoken=["en", "en", "en", "en", "de"]).corpus
    left = wordless_as_nonspeech(corpus, lambda some: normalizers.get(normalizers.choose(None, some)))
    assert [item.reference for item in left.speech] == ["fine", "good", "well"]


def test_a_normalizer_that_leaves_nothing_of_most_texts_is_refused(make_pairs: Callable[..., PairedTexts]) -> None:
    corpus = make_pairs(["fine", "[laughs]", "(sighs)"]).corpus
    with pytest.raises(CorpusError, match=r"metadata\.csv:3: nothing is left of the transcript '\[laughs\]'"):
        wordless_as_nonspeech(corpus, lambda _: normalizers.get("whisper-basic"))


def test_under_another_normalizer_nothing_is_refused_and_nothing_transcribed(
    make_pairs: Callable[..., PairedTexts],
) -> None:
    raw = make_pairs(["It's Grey.", "[laughs]"], spoken=["en", "en"])
    basic = raw.under(normalizers.get("whisper-basic"))
    assert [pair.candidate for pair in basic.pairs] == ["it s grey"]
    assert basic.candidate is raw.candidate
    assert [pair.reference for pair in raw.under(normalizers.get("by-language")).pairs] == ["it is gray"]


def test_each_utterance_is_normalized_by_its_own_language(make_pairs: Callable[..., PairedTexts]) -> None:
    made = make_pairs(["It's Grey."] * 2, spoken=["en", "de"])
    texts = pair_texts(made.corpus, normalizers.get("by-language"), made.baseline, made.candidate)
    assert [(pair.reference, pair.baseline, pair.candidate) for pair in texts.pairs] == [
        ("it is gray",) * 3,
        ("it s grey",) * 3,
    ]


def test_what_is_normalized_is_not_normalized_again(make_pairs: Callable[..., PairedTexts]) -> None:
    """Whisper's English normalizer makes "020" of "oh twenty", and of that 20."""
    made = make_pairs(["oh twenty"], ["020"], ["020"])
    (pair,) = pair_texts(
        made.corpus, normalizers.get("whisper-english"), made.baseline, made.candidate, is_normalized=True
    ).pairs
    assert pair.reference == pair.baseline == pair.candidate == "020"


def test_transcripts_of_another_corpus_are_not_lined_up(make_pairs: Callable[..., PairedTexts]) -> None:
    made = make_pairs(["a", "b"])
    with pytest.raises(ValueError, match="argument"):
        pair_texts(made.corpus, made.normalizer, made.baseline, replace(made.candidate, texts=("a",)))


def test_a_recording_listed_twice_is_one_piece_of_evidence(make_pairs: Callable[..., PairedTexts]) -> None:
    texts = make_pairs(["one"] * 4, clips=["a", "a", "b", "c"], clusters=["", "", "", "k"])
    assert texts.clusters == ("a", "a", "b", "k")


def test_pairs_are_gone_through_once_however_often_their_clusters_are_asked_for(
    make_pairs: Callable[..., PairedTexts],
) -> None:
    texts = make_pairs(["a"] * 8, clips=list("12345678"), clusters=list("kkllmmnn"))
    often = 0

    def count(place: int) -> Pair:
        nonlocal often
        often += 1
        return texts.pairs[place]

    lazy = replace(texts, pairs=Made(count, range(8)))
    assert lazy.few_clusters == 4
    once = often
    assert lazy.clusters.numbers.tolist() == texts.clusters.numbers.tolist() == [*range(8)]
    assert (lazy.few_clusters, lazy.clusters.size) == (4, 8)
    assert often == once
    assert lazy.clusters == list("12345678")
    some = replace(lazy, pairs=texts.pairs[:5])
    assert some.clusters == list("12345")
