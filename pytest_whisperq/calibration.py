"""The calibration set of static quantization: which clips, that none of them is evaluated on, and its identity."""

import hashlib
import json
from collections import defaultdict
from dataclasses import replace

from pytest_whisperq import audio, embedded
from pytest_whisperq.audio_index import ClipFacts
from pytest_whisperq.backends import Calibration, Clip
from pytest_whisperq.corpus import EMBEDDED, Corpus, Utterance, load_corpus, shuffled
from pytest_whisperq.errors import ConfigError, CorpusError
from pytest_whisperq.spec import SourceModel

_SHOWN = 10


def load_calibration_set(location: str) -> Corpus:
    """Read the calibration set at ``location``: the utterances in which somebody speaks."""
    corpus = load_corpus(
        embedded.calibration_directory() if location == EMBEDDED else location, "--whisperq-calibration"
    )
    speech = Corpus(name=location, utterances=corpus.speech)
    if not speech.utterances:
        raise CorpusError(f"--whisperq-calibration: {location} holds no speech; activations would be measured on noise")
    return speech


def takes_embedded(source: SourceModel) -> bool:
    """Whether a checkpoint may be calibrated on the embedded prompts unless told otherwise.

    They suit the embedded models. Another one hears other activations in other speech: int8 of OpenAI's base lost 13
    points on German by them, and half a point by German. Random weights have no right ones.
    """
    return source.is_random or source.name in embedded.MODELS


def set_aside(corpus: Corpus, size: int, seed: int) -> Corpus:
    """Return the clusters of a corpus to calibrate on instead of evaluating on them: ``size`` utterances of speech.

    Whole clusters, for one that is calibrated on and evaluated flatters; more utterances than ``size`` only where no
    clusters add up to it. Seeded, in the proportions of `subset`. Raises `ConfigError`, before anything is built, where
    that would leave less than half of what is spoken.
    """
    clusters = _clusters(corpus, seed)
    sizes = {name: sum(item.is_speech for item in items) for name, items in clusters.items()}
    most = len(corpus.speech) // 2
    taken = _filling(sizes, size)
    if sum(sizes[name] for name in taken) < size:  # each of the others is larger than what is missing
        taken += sorted((name for name in sizes if name not in taken), key=sizes.__getitem__)[:1]
    if not size <= sum(sizes[name] for name in taken) <= most:
        fewer = sum(sizes[name] for name in _filling(sizes, most))
        ask = f" Or ask for {fewer} of them: --whisperq-calibration-samples={fewer}." if fewer else ""
        raise ConfigError(
            f"--whisperq-calibration: name recordings to calibrate on. {corpus.name} has {len(corpus.speech)} "
            f"utterances of speech in {len(clusters)} clusters: too few to set {size} aside, in whole clusters, and to "
            f"evaluate on at least half.{ask} --whisperq-calibration={EMBEDDED} takes the embedded prompts, which may "
            "suit neither language nor sound; weight-only precisions, such as openvino:int8, need none."
        )
    kept = {item.id for name in taken for item in clusters[name]}
    chosen = tuple(item for item in corpus.utterances if item.id in kept)
    return replace(corpus, name=f"{corpus.name}, set aside", utterances=chosen)


def _clusters(corpus: Corpus, seed: int) -> dict[str, list[Utterance]]:
    """Return the utterances by cluster, in a seeded order; each without one is its own."""
    by_id = {item.id: item for item in corpus.utterances}
    found: dict[str, list[Utterance]] = defaultdict(list)
    for name in shuffled(corpus, seed):
        item = by_id[name]
        found[f"cluster {item.cluster}" if item.cluster else f"clip {item.id}"].append(item)
    return {name: items for name, items in found.items() if any(item.is_speech for item in items)}


def _filling(sizes: dict[str, int], room: int) -> list[str]:
    """Return the first of them, in their order, that fit into ``room``."""
    taken = []
    for name, size in sizes.items():
        if size <= room:
            taken.append(name)
            room -= size
    return taken


def without(corpus: Corpus, aside: Corpus) -> Corpus:
    """Return a corpus less what is set aside of it; the name says so."""
    names = {item.id for item in aside.utterances}
    rest = tuple(item for item in corpus.utterances if item.id not in names)
    return replace(corpus, name=f"{corpus.name} less {len(names)} set aside for calibration", utterances=rest)


def refuse_overlap(
    corpus: Corpus, facts: dict[str, ClipFacts], evaluated: dict[str, ClipFacts], option: str = "--whisperq-corpus"
) -> None:
    """Raise `CorpusError` listing the clips of the calibration set ``corpus`` that are evaluated on too, by sound.

    ``facts`` are those of the calibration set, ``evaluated`` those of what ``option`` names.
    """
    sounds = {fact.digest for fact in evaluated.values()}
    if shared := [item.id for item in corpus.utterances if facts[item.id].digest in sounds]:
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        raise CorpusError(
            f"--whisperq-calibration: {len(shared)} of {len(corpus.utterances)} clips are evaluated on too, which "
            f"flatters the quantized model: {', '.join(shared[:_SHOWN])}{more}. "
            f"Take them out of one of the two sets, this or {option}."
        )


def refuse_copies(aside: Corpus, facts: dict[str, ClipFacts], evaluated: dict[str, ClipFacts]) -> None:
    """Raise `CorpusError` naming a clip that is set aside and has a copy in another cluster, which is evaluated on."""
    originals = {facts[item.id].digest: item for item in aside.utterances}
    for name, fact in evaluated.items():
        if item := originals.get(fact.digest):
            raise CorpusError(
                f"{item.where}: {item.id} is set aside for calibration, and {name}, the same recording, is evaluated "
                "on; give both the same cluster (a column), or remove one"
            )


def make_calibration(
    corpus: Corpus,
    facts: dict[str, ClipFacts],
    evaluated: dict[str, ClipFacts],
    alphas: tuple[float, float],
    asked: int,
) -> Calibration:
    """Return what a backend calibrates with; raise `CorpusError` listing the clips that are evaluated on too.

    ``facts`` are those of the calibration set, ``evaluated`` those of the evaluation corpus; ``asked`` is how many
    clips were asked for, which the set may not have.
    """
    refuse_overlap(corpus, facts, evaluated)
    heard = [(facts[item.id].digest, item.language) for item in corpus.utterances]
    identity = hashlib.sha256(json.dumps([heard, alphas]).encode()).hexdigest()

    def clips() -> list[Clip]:
        return [Clip(samples=audio.load(item.audio), language=item.language) for item in corpus.utterances]

    few = "" if len(heard) >= asked else f", which has no more of the {asked} asked for"
    summary = (
        f"calibrated on {len(heard)} clips of {corpus.name}{few} ({identity[:8]}), "
        f"SmoothQuant {alphas[0]:g}/{alphas[1]:g}"
    )
    return Calibration(summary=summary, identity=identity, clips=clips, alphas=alphas)
