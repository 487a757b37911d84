"""Two transcripts of one corpus, side by side under one normalizer: what every quality gate measures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

from pytest_whisperq.config.choices import Metric
from pytest_whisperq.decoding.transcript_cache import TranscriptSet
from pytest_whisperq.measuring.groups import Groups
from pytest_whisperq.measuring.intervals import judged_by_rows
from pytest_whisperq.measuring.scores import as_compared
from pytest_whisperq.speech.corpus import NONSPEECH, UTTERANCE, Corpus, Utterance, keep_utterances
from pytest_whisperq.speech.corpus.files import listed
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.on_disk import Form, Made, keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One utterance with three normalized texts, and the languages that the models detect.

    ``translation`` is the English one of the corpus, normalized as what is heard is; "" where there is none.
    ``clip`` names its sound, ``cluster`` what it shares with others that are therefore not independent of it.
    """

    utterance: Utterance
    cluster: str
    clip: str
    reference: str
    baseline: str
    candidate: str
    baseline_language: str | None
    candidate_language: str | None
    translation: str = ""

    def compared(self, metric: Metric) -> tuple[str, str, str]:
        """Return reference, baseline and candidate as ``metric`` counts them.

        Of characters, spaces count where they part words and are left out where they do not. Of words and characters,
        by script, each stands alone.
        """
        texts = (self.reference, self.baseline, self.candidate)
        reference, baseline, candidate = (as_compared(text, self.utterance, metric) for text in texts)
        return reference, baseline, candidate


def _plain(pair: Pair) -> tuple[Any, ...]:
    texts = pair.reference, pair.baseline, pair.candidate, pair.translation
    return UTTERANCE.plain(pair.utterance), pair.clip, texts, pair.baseline_language, pair.candidate_language


def _made(plain: tuple[Any, ...]) -> Pair:
    item, clip, (reference, baseline, candidate, translation), baseline_language, candidate_language = plain
    utterance = UTTERANCE.make(item)
    return Pair(
        utterance=utterance,
        cluster=utterance.cluster or clip,
        clip=clip,
        reference=reference,
        baseline=baseline,
        candidate=candidate,
        baseline_language=baseline_language,
        candidate_language=candidate_language,
        translation=translation,
    )


_KEPT = Form(plain=_plain, make=_made, size=lambda pair: UTTERANCE.size(pair.utterance))
"""How a pair of a large corpus is kept."""


@dataclass(frozen=True, kw_only=True)
class PairedTexts:
    """All speech of a corpus as baseline and candidate heard it. Non-speech clips have no words to count."""

    corpus: Corpus
    normalizer: Normalizer
    baseline: TranscriptSet
    candidate: TranscriptSet
    pairs: Sequence[Pair]

    @property
    def clusters(self) -> Groups:
        """The group of each pair by which bounds are drawn: its cluster, or its sound where clusters are too few."""
        return self._judged_by[0]

    @property
    def few_clusters(self) -> int:
        """Of how many clusters alone the bounds speak, where these are too few to speak of others; else 0."""
        return self._judged_by[1]

    @cached_property
    def _judged_by(self) -> tuple[Groups, int]:
        names = (Made(attrgetter(name), self.pairs) for name in ("cluster", "clip"))
        return judged_by_rows(map(attrgetter("cluster", "clip"), self.pairs), *names)

    def under(self, normalizer: Normalizer) -> "PairedTexts":
        """Return the same transcripts under another normalizer, less the references of which that leaves nothing."""
        return pair_texts(self.corpus, normalizer, self.baseline, self.candidate, leave_out_empty=True)


def pair_texts(
    corpus: Corpus,
    normalizer: Normalizer,
    baseline: TranscriptSet,
    candidate: TranscriptSet,
    *,
    leave_out_empty: bool = False,
    is_normalized: bool = False,
) -> PairedTexts:
    """Normalize and line up; raise `CorpusError` for a reference of which the normalizer leaves nothing.

    An utterance without a cluster is clustered by its sound: a recording listed twice is one piece of evidence. What
    was heard ``is_normalized`` where a long text was, before it was cut: twice is too much, "oh twenty" → "020" → "20".
    Texts of an utterance that are equal are held once.
    """

    def lined_up() -> Iterator[Pair]:
        hypotheses = (zip(model.texts, model.languages, strict=True) for model in (baseline, candidate))
        rows = zip(corpus.utterances, baseline.clips, *hypotheses, strict=True)
        for item, clip, (base, base_language), (cand, cand_language) in rows:
            if not item.is_speech:
                continue
            reference = normalizer(item.reference, item.language)
            if not reference and leave_out_empty:
                continue
            if not reference:
                raise _wordless(item, normalizer)
            heard = base if is_normalized else normalizer(base, item.language)
            heard = reference if heard == reference else heard
            other = cand if is_normalized else normalizer(cand, item.language)
            other = heard if other == heard else other
            yield Pair(
                utterance=item,
                cluster=item.cluster or clip,
                clip=clip,
                reference=reference,
                baseline=heard,
                candidate=other,
                baseline_language=base_language,
                candidate_language=cand_language,
                translation=normalizer(item.translation, item.language) if item.is_translated else "",
            )

    return PairedTexts(
        corpus=corpus,
        normalizer=normalizer,
        baseline=baseline,
        candidate=candidate,
        pairs=keep(lined_up(), _KEPT),
    )


def wordless_as_nonspeech(corpus: Corpus, choose: Callable[[Corpus], Normalizer]) -> Corpus:
    """Return a corpus in which nobody speaks where the normalizer that ``choose`` gives leaves nothing of the text.

    That is so of "Mm-hmm." or "[noise]": a model that hears words there makes them up. A note names these utterances.
    Raises `CorpusError` where they are more than half of the speech, for then the normalizer does not suit the corpus.
    """
    marked = corpus
    names = set[str]()
    while True:  # what is left may be in other languages, and those choose another normalizer
        normalizer = choose(marked)
        wordless = {item.id for item in marked.speech if not normalizer.leaves_words(item.reference, item.language)}
        if not wordless:
            break
        names |= wordless
        items = (item._replace(kind=NONSPEECH) if item.id in wordless else item for item in marked.utterances)
        marked = replace(marked, utterances=keep_utterances(items))
    if not names:
        return corpus
    empty = [item for item in corpus.speech if item.id in names]
    if 2 * len(empty) > len(corpus.speech):
        raise _wordless(empty[0], normalizer)
    some = "a transcript has" if len(empty) == 1 else f"{len(empty)} transcripts have"
    note = f"{some} no words under {normalizer}; what is heard there counts as made up"
    return replace(marked, notes=(*marked.notes, f"{listed([item.id for item in empty])}: {note}"))


def _wordless(item: Utterance, normalizer: Normalizer) -> CorpusError:
    return CorpusError(
        f"nothing is left of the transcript {item.reference!r} under the normalizer {normalizer}",
        where=item.where,
        remedy="write out what is said, or choose another with --whisperq-normalizer",
    )
