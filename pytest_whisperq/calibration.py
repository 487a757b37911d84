"""The calibration set of static quantization: which clips, that none of them is evaluated on, and its identity."""

import hashlib
import json

from pytest_whisperq import audio, embedded
from pytest_whisperq.audio_index import ClipFacts
from pytest_whisperq.backends import Calibration, Clip
from pytest_whisperq.corpus import EMBEDDED, Corpus, load_corpus
from pytest_whisperq.errors import CorpusError

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


def make_calibration(
    corpus: Corpus,
    facts: dict[str, ClipFacts],
    evaluated: dict[str, ClipFacts],
    alphas: tuple[float, float],
) -> Calibration:
    """Return what a backend calibrates with; raise `CorpusError` listing the clips that are evaluated on too.

    ``facts`` are those of the calibration set, ``evaluated`` those of the evaluation corpus.
    """
    refuse_overlap(corpus, facts, evaluated)
    heard = [(facts[item.id].digest, item.language) for item in corpus.utterances]
    identity = hashlib.sha256(json.dumps([heard, alphas]).encode()).hexdigest()

    def clips() -> list[Clip]:
        return [Clip(samples=audio.load(item.audio), language=item.language) for item in corpus.utterances]

    summary = (
        f"calibrated on {len(heard)} clips of {corpus.name} ({identity[:8]}), SmoothQuant {alphas[0]:g}/{alphas[1]:g}"
    )
    return Calibration(summary=summary, identity=identity, clips=clips, alphas=alphas)
