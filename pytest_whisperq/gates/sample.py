"""The smallest part of a corpus that certifies a limit on the accuracy drop: whole clusters, like the whole."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

from pytest_whisperq.config.choices import COUNTED
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.measuring.power import Power, plan
from pytest_whisperq.measuring.scores import lengths_of
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus import Corpus, Utterance, categories
from pytest_whisperq.speech.corpus.subset import spread
from pytest_whisperq.system.errors import CorpusError

_SORTING = 0.1
"""Share of rows that may have a value of their own in a column whose values are kept in proportion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A part of a corpus, what it certifies, and how many of the clusters of the whole it has (nonspeech included)."""

    corpus: Corpus
    power: Power
    clusters: int
    of_clusters: int


def smallest(session: Session, limit: float) -> Sample:
    """Return the first clusters of the run's corpus, in a seeded order, that certify ``limit`` points; one less do not.

    To certify is what `forecast` says of a limit without reserve: of candidates that are no worse 90 of 100 pass.
    In the order each stratum, of kind, language and slices, spreads evenly, so that any start of it is like the whole.
    Raises `CorpusError` where all of the corpus does not.
    """
    order, speech = _order(session), session.corpus.speech
    lengths = lengths_of(speech, session.normalizer, session.metric)
    groups = [session.recordings.cluster(item) for item in speech]

    def power(count: int) -> Power:
        chosen = set(order[:count])
        rows = [row for row in zip(lengths, groups, strict=True) if row[1] in chosen]
        kept, named = [row[0] for row in rows], [row[1] for row in rows]
        return plan(kept, named, confidence=session.config.confidence, counted=COUNTED[session.metric])

    low, high = 0, len(order)  # so many do not, and do
    if not certifies(power(high), limit):
        raise CorpusError(
            f"cannot certify {limit:g} points, even whole: {'; '.join(forecast(power(high), [limit]))}",
            where=session.corpus.name,
            remedy="add recordings, or ask for more points",
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if certifies(power(middle), limit) else (middle, high)
    chosen = set(order[:high])
    items = tuple(item for item in session.corpus.utterances if session.recordings.cluster(item) in chosen)
    part = replace(session.corpus, utterances=items)
    return Sample(corpus=part, power=power(high), clusters=high, of_clusters=len(order))


def certifies(power: Power, limit: float) -> bool:
    """Whether a gate with ``limit`` points passes a good candidate surely, by what is known before decoding."""
    return power.at_best < limit >= power.likely


def _order(session: Session) -> list[str]:
    """Return the clusters of the corpus, each start of them like the whole; a cluster is of what most of it is."""
    columns = sorted({*categories(session.corpus.utterances, _SORTING)} - {"kind", "language"})

    def stratum(item: Utterance) -> tuple[str, ...]:
        slices = dict(item.slices)
        return (item.kind, item.language or "", *(slices.get(column, "") for column in columns))

    members: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for item in session.corpus.utterances:
        members[session.recordings.cluster(item)][stratum(item)] += 1
    strata = (min(kinds, key=lambda kind: (-kinds[kind], kind)) for kinds in members.values())
    names = [*members]
    return [names[place] for place in spread(zip(strata, names, strict=True), session.config.seed)]
