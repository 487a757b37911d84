"""What can be said before an hour of decoding: which limits on the drop of word accuracy this corpus can certify."""

from collections.abc import Sequence
from math import isinf
from operator import sub
from types import MappingProxyType

from pytest_whisperq.config.candidates import Candidate, is_calibrated
from pytest_whisperq.config.choices import COUNTED, Metric
from pytest_whisperq.measuring.groups import grouped
from pytest_whisperq.measuring.power import CHANGED, Power, learn, plan
from pytest_whisperq.measuring.scores import lengths_of, score
from pytest_whisperq.session import Session
from pytest_whisperq.system.column import Column
from pytest_whisperq.system.on_disk import Made

_SHOWN = 3

_ONE = MappingProxyType(
    {
        "words": "a word",
        "characters": "a character",
        "words and characters": "a word or character",
        "terms": "a term",
        "entities": "an entity",
    }
)
"""What is counted → one of it."""

PILOT = 30
"""Utterances that both models must have transcribed already for their difference to be taken as a pilot."""


def calibration_lines(session: Session) -> list[str]:
    """Return the lines that say what of the corpus is calibrated on, and where that is less than was asked for.

    And what the builds of calibrated candidates that are there already have left in float32, or else to say.
    """
    if not session.recordings.calibrates:
        return []
    chosen, aside = session.recordings.calibration_set, session.recordings.set_aside
    lines = []
    if aside:
        names = [item.id for item in chosen.utterances]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        spare = len(aside.utterances) - len(names) + len(session.recordings.copies)
        rest = f", and {spare} of the same clusters or sounds are neither" if spare else ""
        heard = {item.cluster for item in session.recordings.whole_corpus.utterances}
        if both := {item.cluster for item in chosen.utterances if item.cluster} & heard:
            rest += f", of {len(both)} {'clusters that are' if len(both) > 1 else 'cluster that is'} evaluated on too"
        if silent := session.recordings.whole_corpus.languages - chosen.languages:
            rest += f" (none in {', '.join(sorted(one or 'no stated language' for one in silent))})"
        what = "calibrated" if any(map(is_calibrated, session.config.candidates)) else "diagnosed"
        lines.append(
            f"{what} on {len(names)} utterances of the corpus, set aside by seed {session.config.seed} and not "
            f"evaluated{rest}: {', '.join(names[:_SHOWN])}{more} (--whisperq-calibration names others)"
        )
    if short := session.recordings.calibration_shortage:
        lines.append(f"calibrated on {len(chosen.utterances)} utterances of {chosen.name}: {short}")
    for candidate in session.config.candidates:
        built = None if candidate.missing or candidate.location else session.store.built(session.spec(candidate))
        lines += [f"{candidate}: {note}" for note in (built.notes if built else ())]
    return lines


def ready_made_lines(session: Session) -> list[str]:
    """Return the lines that say which candidates are gated as they lie, where, and what the checkpoint lends them."""
    return [
        line
        for candidate, artifact in session.ready_made.items()
        if artifact.spec.folder
        for line in (
            f"{candidate} is gated as it lies in {artifact.spec.folder.directory}",
            *(f"{candidate}: {note}" for note in artifact.notes),
        )
    ]


def power_of(session: Session, candidate: Candidate, metric: Metric) -> Power:
    """Return what the run's corpus can certify of a candidate. Texts in the cache are its pilot; nothing is decoded."""
    speech = session.corpus.speech
    lengths = lengths_of(speech, session.normalizer, metric)
    clusters = grouped(Made(session.recordings.cluster, speech))
    power = plan(lengths, clusters, confidence=session.config.confidence, counted=COUNTED[metric])
    models = (session.known(spec).texts for spec in (session.baseline_spec, session.spec(candidate)))
    rows = zip(session.corpus.utterances, *models, strict=True)
    places, gained, heard = Column("I"), Column("i"), Column("i")
    for place, (item, before, after) in enumerate(row for row in rows if row[0].is_speech):
        if before is not None and after is not None and lengths[place]:
            errors = (score(item, text, session.normalizer, metric).errors for text in (after, before))
            places.append(place)
            gained.append(sub(*errors))
            heard.append(lengths[place])
    if len(places) < PILOT:
        return power
    return learn(power, gained, heard, clusters if len(places) == len(speech) else clusters.at(places))


def forecast(
    power: Power,
    limits: Sequence[float],
    aside: int = 0,
    *,
    drop: str = "drop",
    keyword: str = "max_drop",
) -> list[str]:
    """Return the lines that say what a corpus is good for, and which of the ``limits``, in points, are beyond it.

    ``aside`` counts the utterances that it lacks because they are set aside; ``drop`` and ``keyword`` say what is
    limited.
    """
    if isinf(power.at_best):
        return [f"{power.utterances} utterances in {power.clusters} independent groups certify no {drop} at all"]
    less = f" (less {aside} set aside to calibrate on)" if aside else ""
    size = f"{power.utterances} utterances / {power.length} {power.counted}{less}"
    source = (
        f"a pilot of {power.pilot}" if power.pilot else f"{CHANGED:.0%} of the texts changing by {_ONE[power.counted]}"
    )
    figures = f"{power.likely:.1f} points (judged by {source}; {power.at_best:.1f} if no text changes)"
    lines = [f"{size} certify a {drop} below {figures}"]
    for limit in sorted(set(limits)):
        if limit <= power.at_best:
            least = power.needed(limit, best=True)
            needed = f"at least {least} utterances are needed" if least else "and no corpus can certify it"
            lines.append(f"{keyword}={limit:g} is out of their reach: a gate with it cannot pass; {needed}")
        elif limit < power.likely:
            lines.append(
                f"{keyword}={limit:g} needs about {power.needed(limit)} utterances to pass a good model surely"
            )
    return lines
