"""Candidates whose true drop is known, made of what the embedded model really said at float32 and int8.

``recorded.jsonl`` (record_transcripts.py) holds for each clip the reference, the float32 text and the int8 texts that
differ. A corpus is drawn from it cluster by cluster with replacement, so that it scatters as another one like it would.
In a changed clip an int8 text takes one side and the float32 text the other, and which one is decided by a coin: the
true drop is 0, and the disagreements are real ones.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pytest_whisperq.decoding.transcript_cache import TranscriptSet
from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import Pair, PairedTexts, pair_texts
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.measuring.sequential import SHARE, AccuracyLimit, EarlyFail, shuffled
from pytest_whisperq.models.source import ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance

CHANGED = 0.08
"""Share of clips whose texts differ, as in the demand that these figures answer."""

RECORDED = Path(__file__).with_name("recorded.jsonl")
WRONG = "⌀"  # a word that no reference has


@dataclass(frozen=True)
class Recorded:
    """All recorded speech: float32 texts on both sides, and for each clip the int8 texts that differ, normalized."""

    texts: PairedTexts
    changed: tuple[tuple[str, ...], ...]

    @cached_property
    def words(self) -> int:
        """Reference words."""
        return sum(len(pair.reference.split()) for pair in self.texts.pairs)

    @cached_property
    def hits(self) -> int:
        """Reference words less the errors of the baseline: what there is to lose in whole clips."""
        return self.words - sum(_errors(pair.reference, pair.baseline) for pair in self.texts.pairs)

    @cached_property
    def vulnerable(self) -> int:
        """Errors that mishearing each word of the baseline's texts makes, one word at a time, all together."""
        return sum(map(_vulnerable, self.texts.pairs))

    @cached_property
    def clusters(self) -> dict[str, list[int]]:
        """The clips of each cluster."""
        found: dict[str, list[int]] = defaultdict(list)
        for number, pair in enumerate(self.texts.pairs):
            found[pair.cluster].append(number)
        return dict(found)


def load(path: Path = RECORDED) -> Recorded:
    """Read a recording under the normalizer that the gates choose for its corpus."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][1:]
    corpus = Corpus(
        name="recorded",
        utterances=tuple(
            Utterance(
                id=line["id"],
                where=path.name,
                audio=AudioSource(label=line["id"]),
                reference=line["reference"],
                language=line["language"],
                cluster=line["cluster"],
                slices=tuple(line["slices"].items()),
            )
            for line in lines
        ),
    )
    said = [line["baseline"] for line in lines]
    normalizer = normalizers.get(normalizers.choose(None, corpus))
    texts = pair_texts(corpus, normalizer, _said("float32", said), _said("int8", said))
    changed = [
        sorted({normalizer(text, line["language"]) for text in line["changed"].values()} - {pair.baseline})
        for line, pair in zip(lines, texts.pairs, strict=True)
    ]
    return Recorded(texts, tuple(map(tuple, changed)))


def _said(precision: str, texts: Sequence[str]) -> TranscriptSet:
    source = SourceModel(name="recorded", directory=Path(), identity="recorded")
    spec = ModelSpec(backend="scripted", precision=precision, source=source)
    artifact = Artifact(spec=spec, key="", directory=Path(), identity="", size=0, build_seconds=0.0)
    return TranscriptSet(
        spec=spec,
        artifact=artifact,
        compute_type=precision,
        operations="",
        clips=tuple(map(str, range(len(texts)))),
        texts=tuple(texts),
        languages=("en",) * len(texts),
    )


def no_drop(recorded: Recorded, random: np.random.Generator) -> PairedTexts:
    """Draw as many clusters as were recorded, in which `CHANGED` of the texts differ and nothing is lost on average."""
    groups = list(recorded.clusters.values())
    pool = sum(map(bool, recorded.changed))
    chance = CHANGED * len(recorded.changed) / pool
    if chance > 1:
        raise ValueError(f"only {pool} of {len(recorded.changed)} recorded clips changed: too few for {CHANGED:.0%}")
    pairs: list[Pair] = []
    for draw, number in enumerate(random.integers(len(groups), size=len(groups))):
        for clip in groups[number]:
            pair, others = recorded.texts.pairs[clip], recorded.changed[clip]
            sides = [pair.baseline, pair.baseline]
            if others and random.random() < chance:
                sides[random.integers(2)] = others[random.integers(len(others))]
            pairs.append(replace(pair, cluster=f"{pair.cluster}#{draw}", baseline=sides[0], candidate=sides[1]))
    return replace(recorded.texts, pairs=tuple(pairs))


def lose_words(recorded: Recorded, texts: PairedTexts, points: float, random: np.random.Generator) -> PairedTexts:
    """Let the candidate mishear single words, each with the chance that costs ``points`` of accuracy on average."""
    chance = points / 100 * recorded.words / recorded.vulnerable
    return _spoil(texts, lambda pair: _mishear(pair.candidate, chance, random))


def lose_clips(recorded: Recorded, texts: PairedTexts, points: float, random: np.random.Generator) -> PairedTexts:
    """Let the candidate say nothing on whole clips, as many as cost ``points`` of accuracy on average."""
    chance = points / 100 * recorded.words / recorded.hits
    return _spoil(texts, lambda pair: "" if random.random() < chance else pair.candidate)


def _spoil(texts: PairedTexts, spoil: Callable[[Pair], str]) -> PairedTexts:
    pairs = ((pair, spoil(pair)) for pair in texts.pairs)
    spoilt = (pair if text == pair.candidate else replace(pair, candidate=text) for pair, text in pairs)
    return replace(texts, pairs=tuple(spoilt))


def _mishear(text: str, chance: float, random: np.random.Generator) -> str:
    words = text.split()
    misheard = random.random(len(words)) < chance
    return (
        " ".join(WRONG if wrong else word for word, wrong in zip(words, misheard, strict=True))
        if any(misheard)
        else text
    )


def _errors(reference: str, text: str) -> int:
    return count_errors(reference, text).errors


def _vulnerable(pair: Pair) -> int:
    """Return how many errors more it makes to mishear each word of the baseline's text, one at a time."""
    words, before = pair.baseline.split(), _errors(pair.reference, pair.baseline)
    return sum(
        _errors(pair.reference, " ".join([*words[:n], WRONG, *words[n + 1 :]])) - before for n in range(len(words))
    )


def heard_until_failed(texts: PairedTexts, limit: AccuracyLimit, *, confidence: float = 0.95, seed: int) -> int | None:
    """Return after how many utterances the early test fails the candidate; None where it does not."""
    order = shuffled(texts.clusters, seed)
    heard = replace(texts, pairs=tuple(texts.pairs[index] for index in order), normalizer=normalizers.get("identity"))
    return EarlyFail(heard, limit, SHARE * (1 - confidence)).after([pair.candidate for pair in heard.pairs])


def accuracy_verdict(texts: PairedTexts, limit: AccuracyLimit, *, confidence: float = 0.95, seed: int = 0) -> Verdict:
    """Judge as ``GateRunner.accuracy`` does: early where it can be, else by the interval with what error is left."""
    if heard_until_failed(texts, limit, confidence=confidence, seed=seed) is not None:
        return Verdict.FAIL
    return judge_accuracy(
        texts,
        max_drop=limit.max_drop,
        bounds=limit.bounds,
        confidence=confidence,
        fail_confidence=confidence + SHARE * (1 - confidence),
        seed=seed,
    ).judgement.verdict


def gained(pair: Pair) -> int:
    """Return the errors of the candidate less those of the baseline."""
    return gained_by(pair, pair.candidate)


def gained_by(pair: Pair, text: str) -> int:
    """Return the errors of a text less those of the baseline."""
    return _errors(pair.reference, text) - _errors(pair.reference, pair.baseline)
