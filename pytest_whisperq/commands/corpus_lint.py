"""``corpus lint``: all that is wrong with a corpus at once. A run stops at the first row that it cannot use."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_whisperq.commands import READ_AS, add, add_options, given, locate, named, say
from pytest_whisperq.config.settings import GateConfig, resolve
from pytest_whisperq.measuring import catastrophe
from pytest_whisperq.measuring.digests import Digests
from pytest_whisperq.measuring.power import Power
from pytest_whisperq.measuring.recording import are_apart, clipped, doubts
from pytest_whisperq.measuring.sounds import Sounds
from pytest_whisperq.models.calibration import load_calibration_set
from pytest_whisperq.speech import audio, normalizers
from pytest_whisperq.speech.audio import WINDOW_SECONDS, Recording
from pytest_whisperq.speech.clip_index import ClipFacts, facts_of
from pytest_whisperq.speech.consistency import inconsistencies
from pytest_whisperq.speech.corpus import EMBEDDED, Corpus, Utterance, load_corpus
from pytest_whisperq.speech.corpus.drafts import REMEDY
from pytest_whisperq.speech.corpus.load import NO_UTTERANCE
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.speech.transcripts import fault, translation_fault
from pytest_whisperq.system.errors import CorpusError

_OPTIONS = named(*READ_AS, "calibration", "normalizer", "max-drop", "max-catastrophes", "confidence")

LOWEST_RATE = 8000
"""Samples per second of a telephone; with fewer, consonants are gone before any model hears them."""

ALIKE = 0.95
"""Fingerprints of copies correlate by more: 0.98 when re-encoded; 0.72 at most for other sentences of one voice."""

_CLIPPED = 0.001


def register(actions: Any) -> None:
    """Add the action."""
    parser = add(actions, "lint", "name everything that is wrong with a corpus; exit code 1 if anything is", _run)
    locate(parser)
    add_options(parser, _OPTIONS)


def _run(options: argparse.Namespace) -> int:
    config = resolve({**given(options, _OPTIONS), "whisperq_corpus": options.corpus})
    is_watched, count = sys.stderr.isatty(), 0
    for finding in lint(config, _count if is_watched else silent):
        if is_watched:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - in place of what was counted
        say(str(finding))
        count += 1
    say(f"{count} finding{'' if count == 1 else 's'} in {options.corpus}")
    return 1 if count else 0


def _count(done: int, total: int) -> None:
    line = f"\rchecked {done}/{total}"
    print(line, end="\n" if done == total else "", file=sys.stderr, flush=True)  # noqa: T201 - two numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: ``where`` (file and line, or the corpus), and what to do about it."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


def silent(done: int, total: int) -> None:
    """Show nothing."""


def lint(config: GateConfig, progress: Callable[[int, int], None] = silent) -> Iterator[Finding]:
    """Yield everything that is wrong with the corpus of a run, row by row, and then with the whole of it.

    Rows of a manifest are looked at one by one; a table that cannot be read at all is one finding. No model is loaded.
    """
    refused: list[CorpusError] = []
    try:
        corpus = load_corpus(config.corpus, on_error=refused.append, choices=config.corpus_choices)
    except CorpusError as error:
        if not (refused and error.what.startswith(NO_UTTERANCE)):  # that none is left follows from the findings
            refused.append(error)
        yield from (Finding(where="", message=str(one)) for one in refused)
        return
    yield from (Finding(where="", message=str(one)) for one in refused)
    yield from (Finding(where=corpus.name, message=text) for text in corpus.notes)
    normalizer = normalizers.get(normalizers.choose(config.normalizer, corpus))
    sounds = Sounds()
    for place, item in enumerate(corpus.utterances):
        if wrong := _wrong_text(item, normalizer):
            yield Finding(where=item.where, message=f"{item.id}: {wrong}")
        try:
            recording = audio.read(item.audio, WINDOW_SECONDS)
        except CorpusError as error:
            yield Finding(where=item.where, message=str(error))
            continue
        facts = facts_of(recording)
        yield from (Finding(where=item.where, message=problem) for problem in _problems(item, recording, facts))
        sounds.add(place, item, recording, facts)
        progress(place + 1, len(corpus.utterances))
    for found in inconsistencies(corpus, normalizer):
        yield Finding(where=found.item.where if found.item else corpus.name, message=found.message)
    yield from _copies(sounds, corpus)
    yield from _calibrated(sounds, corpus, config)
    yield from _too_small(sounds, corpus, config)


def _wrong_text(item: Utterance, normalizer: Normalizer) -> str:
    if not item.is_speech:
        return ""
    if item.is_draft:
        return f"the transcript is a draft of a model; {REMEDY}"
    if wrong := fault(item):
        return wrong
    if not normalizer.leaves_words(item.reference, item.language):
        return f"nothing is left of the transcript {item.reference!r} under {normalizer}; write out what is said"
    return translation_fault(item)


def _problems(item: Utterance, recording: Recording, facts: ClipFacts) -> Iterator[str]:
    for what, detail in doubts(item, facts):
        yield f"{item.id} ({detail}): {what}" if detail else f"{item.id}: {what}"
    rate, channels = audio.stored_as(item.audio) or (None, 1)
    if channels == 2 and item.is_speech and are_apart(*audio.channels(item.audio)):
        mixed = "has two channels with different sounds, which are mixed: two speakers?"
        yield f"{item.id} {mixed} Write each to a file with a transcript of its own"
    if rate is not None and rate < LOWEST_RATE:
        few = f"has {rate} samples a second, fewer than a telephone's {LOWEST_RATE}"
        yield f"{item.id} {few}; find the original recording"
    if item.is_speech and (share := clipped(recording.samples)) > _CLIPPED:
        loud = f"is clipped: {share:.1%} of it lies at the end of the scale"
        yield f"{item.id} {loud}; record it again with less gain"


def _copies(sounds: Sounds, corpus: Corpus) -> Iterator[Finding]:
    """Name what is there already: the same samples, or a copy in another encoding, level or noise."""
    for number, earlier in sounds.repeats():
        item, first = (corpus.utterances[sounds.places[one]] for one in (number, earlier))
        text = "" if first.reference == item.reference else ", but with other text"
        message = f"{item.id} is the same recording as {first.id} ({first.where}){text}; remove one of them"
        yield Finding(where=item.where, message=message)
    for number, nearest in sounds.alike(ALIKE):
        item, other = (corpus.utterances[sounds.places[one]] for one in (number, nearest))
        message = f"{item.id} sounds like a copy of {other.id} ({other.where}); remove one of them"
        yield Finding(where=item.where, message=message)


def _calibrated(sounds: Sounds, corpus: Corpus, config: GateConfig) -> Iterator[Finding]:
    calibrated = Digests()
    try:
        calibration = load_calibration_set(config.calibration or EMBEDDED, config.corpus_choices)
        for item in calibration.utterances:
            calibrated.add(audio.pcm_digest(audio.load(item.audio)))
    except CorpusError as error:
        yield Finding(where="", message=str(error))
        return
    for number, place in sounds.digests.shared(calibrated):
        item, other = corpus.utterances[sounds.places[number]], calibration.utterances[place]
        message = f"{item.id} is calibrated on too ({other.where}); take it out of one of the two sets"
        yield Finding(where=item.where, message=message)


def _too_small(sounds: Sounds, corpus: Corpus, config: GateConfig) -> Iterator[Finding]:
    """Say that no candidate could pass, however good: counted on the rows that a run could use."""
    spoken = sum(sounds.is_speech)
    groups, all_groups = sounds.count_groups(corpus)
    power = Power(  # of a candidate that changes no text: neither lengths nor scatter count
        utterances=spoken, length=0, clusters=groups, scatter=0, changed=0, change=0, confidence=config.confidence
    )
    beyond = []
    if config.max_drop <= power.at_best:
        needed = power.needed(config.max_drop, best=True)
        beyond.append(
            f"max_drop={config.max_drop:g} ({f'at least {needed} are needed' if needed else 'no corpus can'})"
        )
    clean = catastrophe.least(config.max_catastrophes, config.confidence)
    if all_groups < clean:
        beyond.append(f"max_catastrophes={config.max_catastrophes:g} (at least {clean} independent ones are needed)")
    if beyond:
        size = f"{len(sounds.places)} utterances, {spoken} of speech,"
        yield Finding(where=corpus.name, message=f"{size} cannot certify {' and '.join(beyond)}")
