"""One long text, cut where its utterances part, so that what is lost late counts as much as what is lost early."""

import re
from collections.abc import Sequence
from functools import cache

from pytest_whisperq.speech.corpus.longform import LongRecording
from pytest_whisperq.speech.corpus.spacing import without_spaces
from pytest_whisperq.speech.normalizers import Normalizer

_SPACES = re.compile(r"[ \t\n\r\f\v]+")


def parted(text: str) -> list[str]:
    """Return the words of a normalized text as jiwer parts them: a no-break space parts none."""
    return [word for word in text.split(" ") if word]


def share_out(recording: LongRecording, text: str, normalizer: Normalizer) -> list[str]:
    """Return, normalized, what of ``text`` was said in each utterance of a recording.

    Words are shared out before they are normalized, as the references are: a normalizer that reads numbers would make
    one of the last word of an utterance and the first of the next. For that each word is normalized by itself.
    """
    items = recording.utterances
    if not items[0].is_spaced:
        references = [normalizer(item.reference, item.language) for item in items]
        return cut(references, normalizer(text, recording.language), spaced=False)

    @cache
    def tokens(word: str) -> list[str]:
        return parted(normalizer(word, recording.language))

    words = _SPACES.split(text)
    parts = [" ".join(token for word in _SPACES.split(item.reference) for token in tokens(word)) for item in items]
    shares = cut(parts, " ".join(token for word in words for token in tokens(word)))
    owners = iter([number for number, share in enumerate(shares) for _ in parted(share)])
    utterance_words: list[list[str]] = [[] for _ in items]
    owner = 0
    for word in words:
        mine = [next(owners) for _ in tokens(word)]
        owner = mine[0] if mine else owner  # what is nothing by itself, such as a dash, stays with what came before
        utterance_words[owner].append(word)
    return [normalizer(" ".join(share), item.language) for share, item in zip(utterance_words, items, strict=True)]


def cut(references: Sequence[str], hypothesis: str, *, spaced: bool = True) -> list[str]:
    """Share the words of ``hypothesis`` out to the ``references``, all normalized, in the order they were said.

    The whole text is aligned with all references joined (Levenshtein on words); each word goes to the utterance of the
    word it stands for, an inserted one to the utterance that comes next (or was last). Summed over the utterances, the
    errors are then at most those of the whole, plus what an alignment cut into pieces adds. Where the language is not
    ``spaced``, characters take the place of words.
    """
    import jiwer

    if not spaced:
        apart = [" ".join(without_spaces(text)) for text in (*references, hypothesis)]
        return [without_spaces(share) for share in cut(apart[:-1], apart[-1])]
    owners = [number for number, text in enumerate(references) for _ in parted(text)]
    shares: list[list[str]] = [[] for _ in references]
    if not owners:
        raise ValueError("references without a word")
    output = jiwer.process_words(" ".join(references), hypothesis)
    words = output.hypotheses[0]
    for chunk in output.alignments[0]:
        chunk_words = words[chunk.hyp_start_idx : chunk.hyp_end_idx]
        for step, word in enumerate(chunk_words):
            place = chunk.ref_start_idx if chunk.type == "insert" else chunk.ref_start_idx + step
            shares[owners[min(place, len(owners) - 1)]].append(word)
    return [" ".join(share) for share in shares]
