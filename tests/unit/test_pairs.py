"""Transcripts side by side under one normalizer."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_whisperq import normalize
from pytest_whisperq.errors import CorpusError
from pytest_whisperq.measure.pairs import PairedTexts, pair_texts


def test_all_three_texts_are_normalized_and_nonspeech_is_left_out(make_pairs: Callable[..., PairedTexts]) -> None:
    made = make_pairs(
        ["One, two.", ""], ["one TWO", "hm"], ["One three!", "ha"], clusters=["k", ""], kinds=["", "nonspeech"]
    )
    texts = pair_texts(made.corpus, normalize.get("whisper-basic"), made.baseline, made.candidate)
    (pair,) = texts.pairs
    assert (pair.reference, pair.baseline, pair.candidate) == ("one two", "one two", "one three")
    assert texts.clusters == ("k",)


def test_a_reference_that_the_normalizer_empties_is_refused(make_pairs: Callable[..., PairedTexts]) -> None:
    made = make_pairs(["fine", "[laughs]"])
    with pytest.raises(
        CorpusError, match=r"metadata\.csv:3: nothing is left of the transcript '\[laughs\]'.*normalizer"
    ):
        pair_texts(made.corpus, normalize.get("whisper-basic"), made.baseline, made.candidate)


def test_transcripts_of_another_corpus_are_not_lined_up(make_pairs: Callable[..., PairedTexts]) -> None:
    made = make_pairs(["a", "b"])
    with pytest.raises(ValueError, match="argument"):
        pair_texts(made.corpus, made.normalizer, made.baseline, replace(made.candidate, texts=("a",)))


def test_a_recording_listed_twice_is_one_piece_of_evidence(make_pairs: Callable[..., PairedTexts]) -> None:
    texts = make_pairs(["one"] * 4, clips=["a", "a", "b", "c"], clusters=["", "", "", "k"])
    assert texts.clusters == ("a", "a", "b", "k")
