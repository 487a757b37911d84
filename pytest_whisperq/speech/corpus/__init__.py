"""Evaluation corpora: utterances with their reference text, read from wherever people keep them."""

from pytest_whisperq.speech.corpus.load import EMBEDDED, load_corpus
from pytest_whisperq.speech.corpus.subset import categories, only_categories, only_english, shuffled, subset
from pytest_whisperq.speech.corpus.types import NONSPEECH, UTTERANCE, Corpus, Utterance, keep_utterances

__all__ = [
    "EMBEDDED",
    "NONSPEECH",
    "UTTERANCE",
    "Corpus",
    "Utterance",
    "categories",
    "keep_utterances",
    "load_corpus",
    "only_categories",
    "only_english",
    "shuffled",
    "subset",
]
