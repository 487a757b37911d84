"""One long text, cut where its utterances part, so that what is lost late counts as much as what is lost early."""

from collections.abc import Sequence

from pytest_whisperq.corpus.longform import LongRecording
from pytest_whisperq.corpus.spacing import without_spaces
from pytest_whisperq.normalize import Normalizer


def share_out(recording: LongRecording, text: str, normalizer: Normalizer) -> list[str]:
    """Return, normalized, what of ``text`` was said in each utterance of a recording."""
    references = [normalizer(item.reference, item.language) for item in recording.utterances]
    return cut(references, normalizer(text, recording.language), spaced=recording.utterances[0].is_spaced)


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
    owners = [number for number, text in enumerate(references) for _ in text.split()]
    shares: list[list[str]] = [[] for _ in references]
    if not owners:
        raise ValueError("references without a word")
    found = jiwer.process_words(" ".join(references), hypothesis)
    words = found.hypotheses[0]
    for chunk in found.alignments[0]:
        said = words[chunk.hyp_start_idx : chunk.hyp_end_idx]
        for step, word in enumerate(said):
            place = chunk.ref_start_idx if chunk.type == "insert" else chunk.ref_start_idx + step
            shares[owners[min(place, len(owners) - 1)]].append(word)
    return [" ".join(share) for share in shares]
