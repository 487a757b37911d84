"""The calibration set of static quantization: which clips, that none of them is evaluated on, and its identity."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import TypeAlias

from pytest_whisperq.backends import Calibration, Clip, Measure
from pytest_whisperq.models.source import SourceModel
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import EMBEDDED, Corpus, Utterance, load_corpus, shuffled
from pytest_whisperq.speech.corpus.types import AS_NAMED, Choices
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import ConfigError, CorpusError
from pytest_whisperq.system.on_disk import choose

SAMPLES = 32
"""Utterances that are calibrated on, unless told otherwise."""

CLUSTERS_LEFT = 5
"""Clusters that are left to evaluate on where whole ones are set aside: with fewer, none can be spared."""

_SHOWN = 10


def load_calibration_set(location: str, choices: Choices = AS_NAMED) -> Corpus:
    """Read the calibration set at ``location``: the utterances in which somebody speaks; ``choices`` are the corpus's.

    Raises `CorpusError` for what cannot be read, and where nobody speaks.
    """
    option = "--whisperq-calibration"
    if location == EMBEDDED:
        corpus = load_corpus(package_data.calibration_directory(), option)
    else:
        corpus = load_corpus(location, option, choices=choices)
    speech = Corpus(name=location, utterances=corpus.speech)
    if not speech.utterances:
        raise CorpusError(
            f"{location} holds no speech; activations would be measured on noise",
            where=option,
            remedy="name recordings of speech",
        )
    return speech


def takes_embedded(source: SourceModel) -> bool:
    """Whether a checkpoint may be calibrated on the embedded prompts unless told otherwise.

    They suit the embedded models. Another one hears other activations in other speech: int8 of OpenAI's base lost 13
    points on German by them, and half a point by German. Random weights have no right ones.
    """
    return source.is_random or source.name in package_data.MODELS


def set_aside(corpus: Corpus, size: int, seed: int) -> Corpus:
    """Return the part of a corpus to calibrate on instead of evaluating on it: ``size`` utterances of speech.

    Seeded, and each language in its proportion, as far as it can keep half of its speech. Whole clusters, and then more
    utterances than ``size`` where clusters do not add up to it. A language with too few clusters gives single
    utterances of theirs, and so do all where fewer than `CLUSTERS_LEFT` would be left to evaluate on. Raises
    `ConfigError`, before anything is built, where the corpus cannot spare so many.
    """
    clusters = _clusters(corpus, seed)
    taken = _chosen(clusters, size)
    if sum(not taken.issuperset(items) for items in clusters) < CLUSTERS_LEFT:
        taken = _chosen(_single(clusters), size)
    if (count := sum(item.is_speech for item in taken)) < size:
        ask = f" Or ask for {count} of them: --whisperq-calibration-samples={count}." if count else ""
        raise ConfigError(
            f"{corpus.name} has {len(corpus.speech)} utterances of speech: too few to set {size} aside and to evaluate "
            "on at least half",
            where="--whisperq-calibration",
            remedy=(
                f"name recordings to calibrate on.{ask} --whisperq-calibration={EMBEDDED} takes the embedded prompts, "
                "which may suit neither language nor sound; weight-only precisions, such as openvino:int8, need none"
            ),
        )
    chosen = corpus.where(taken.__contains__)
    return replace(corpus, name=f"{corpus.name}, set aside", utterances=chosen)


_Clusters: TypeAlias = list[list[Utterance]]
"""Utterances that belong together, in a seeded order."""


def _chosen(clusters: _Clusters, size: int) -> set[Utterance]:
    """Return clusters with ``size`` utterances of speech, each language in its proportion, as far as that goes."""
    groups: dict[str, _Clusters] = defaultdict(list)
    for items in clusters:
        groups[next(item.language or "" for item in items if item.is_speech)].append(items)
    speech, total, count = _spoken(clusters), 0, 0
    taken = set[Utterance]()
    # What one lacks the larger ones make up for.
    for group in sorted(groups.values(), key=_spoken):
        total += _spoken(group)
        wanted = round(size * total / speech) - count
        chosen = _adding_up(group, wanted, _spoken(group) // 2)
        if _spoken(chosen) < wanted:
            chosen = _adding_up(_single(group), wanted, _spoken(group) // 2)
        taken |= {item for items in chosen for item in items}
        count += _spoken(chosen)
    return taken


def _spoken(clusters: _Clusters) -> int:
    return sum(item.is_speech for items in clusters for item in items)


def _single(clusters: _Clusters) -> _Clusters:
    """Return each utterance of speech as a cluster: the first of every cluster, then the second of every one."""
    spoken = ([item for item in items if item.is_speech] for items in clusters)
    return [[item] for turn in zip_longest(*spoken) for item in turn if item]


def _clusters(corpus: Corpus, seed: int) -> _Clusters:
    """Return the clusters in which somebody speaks; an utterance without one is its own."""
    clusters: dict[str, list[Utterance]] = defaultdict(list)
    for item in choose(corpus.utterances, shuffled(corpus, seed)):
        clusters[f"cluster {item.cluster}" if item.cluster else f"clip {item.id}"].append(item)
    return [items for items in clusters.values() if any(item.is_speech for item in items)]


def _adding_up(clusters: _Clusters, wanted: int, most: int) -> _Clusters:
    """Return clusters that hold ``wanted`` utterances, or as few more as can be, up to ``most``; else what comes next.

    The first that fit, in their order; where those do not add up, any that do.
    """
    taken: _Clusters = []
    room = min(wanted, most)
    sizes = [_spoken([items]) for items in clusters]
    for items, size in zip(clusters, sizes, strict=True):
        if size <= room:
            taken.append(items)
            room -= size
    if _spoken(taken) == wanted or wanted <= 0:
        return taken
    reached: dict[int, _Clusters] = {0: []}
    highest = min(most, wanted + max(sizes))
    for items, size in zip(clusters, sizes, strict=True):
        for total in sorted(reached, reverse=True):
            if total + size <= highest and total + size not in reached:
                reached[total + size] = [*reached[total], items]
        if wanted in reached:
            break
    enough = [total for total in reached if total >= wanted]
    return reached[min(enough)] if enough else reached[max(reached)]


def without(corpus: Corpus, aside: Corpus) -> Corpus:
    """Return a corpus less what is set aside of it; the name says so."""
    names = {item.id for item in aside.utterances}
    rest = corpus.where(lambda item: item.id not in names)
    return replace(corpus, name=f"{corpus.name} less {len(names)} set aside for calibration", utterances=rest)


def refuse_overlap(
    corpus: Corpus,
    facts: Mapping[str, ClipFacts],
    evaluated: Mapping[str, ClipFacts],
    option: str = "--whisperq-corpus",
) -> None:
    """Raise `CorpusError` listing the clips of the calibration set ``corpus`` that are evaluated on too, by sound.

    ``facts`` are those of the calibration set, ``evaluated`` those of what ``option`` names.
    """
    own = {facts[item.id].digest for item in corpus.utterances}
    heard = {fact.digest for fact in evaluated.values() if fact.digest in own}
    if shared := [item.id for item in corpus.utterances if facts[item.id].digest in heard]:
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        raise CorpusError(
            f"{len(shared)} of {len(corpus.utterances)} clips are evaluated on too, which flatters the "
            f"quantized model: {', '.join(shared[:_SHOWN])}{more}",
            where="--whisperq-calibration",
            remedy=f"take them out of one of the two sets, this or {option}, or name another set to calibrate on",
        )


def refuse_same_files(corpus: Corpus, recordings: Corpus, option: str) -> None:
    """Raise `CorpusError` naming a file of which spans are calibrated on, and all of which is heard for ``option``."""
    files = {item.audio.file: item for item in recordings.utterances if item.audio.file}
    for item in corpus.utterances:
        if other := files.get(item.audio.file) if item.audio.file else None:
            raise CorpusError(
                f"{item.where} calibrates on a part of {item.audio.label}, all of which {option} "
                f"({other.where}) evaluates on",
                where="--whisperq-calibration",
                remedy="name another set to calibrate on",
            )


def make_calibration(
    corpus: Corpus,
    facts: Mapping[str, ClipFacts],
    evaluated: Mapping[str, ClipFacts],
    alphas: tuple[float, float],
    *,
    speaks: bool = True,
    measure: Measure | None = None,
) -> Calibration:
    """Return what a backend calibrates with; raise `CorpusError` listing the clips that are evaluated on too.

    ``facts`` are those of the calibration set, ``evaluated`` those of the evaluation corpus. ``speaks`` says whether
    the model has learned to. ``measure`` is for builds that measure what they lose.
    """
    refuse_overlap(corpus, facts, evaluated)
    rows = [(facts[item.id].digest, item.language) for item in corpus.utterances]
    identity = hashlib.sha256(json.dumps([rows, alphas]).encode()).hexdigest()

    def clips() -> list[Clip]:
        return [Clip(samples=audio.load(item.audio), language=item.language) for item in corpus.utterances]

    summary = (
        f"calibrated on {len(rows)} clips of {corpus.name} ({identity[:8]}), SmoothQuant {alphas[0]:g}/{alphas[1]:g}"
    )
    return Calibration(summary=summary, identity=identity, clips=clips, alphas=alphas, speaks=speaks, measure=measure)
