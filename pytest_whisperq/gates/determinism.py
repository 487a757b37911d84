"""The gate on determinism: whether decoding the same clips again gives the same tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.keywords import Keyword, whole
from pytest_whisperq.gates.registry import Gate
from pytest_whisperq.judging.rule import WORST, Evidence, Outcome, judgement_of
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus import Corpus, subset

CLIPS = 32
"""Clips that are decoded again and again."""


def run(session: Session, candidate: Candidate, limits: Mapping[str, Any]) -> Outcome:
    """Judge whether decoding repeats itself; nothing is taken from the cache."""
    corpus = subset(session.corpus, CLIPS, session.config.seed)
    spec = session.spec(candidate)
    compute_type, runs = session.decoder.anew(spec, corpus, limits["repeats"])
    return judge_determinism(session.store.get(spec), compute_type, corpus, runs, seed=session.config.seed)


GATE = Gate(
    name="determinism",
    summary="decoding the same clips again gives the same tokens",
    keywords={"repeats": Keyword(whole(2, 100), default=3)},
    run=run,
)


def judge_determinism(
    candidate: Artifact,
    compute_type: str,
    corpus: Corpus,
    runs: Sequence[Sequence[Hypothesis]],
    *,
    seed: int,
) -> Outcome:
    """Pass when decoding the same clips again gave the very same tokens; ``runs`` are the decodings.

    One clip that differs proves a model unsteady. That none did proves nothing beyond these clips and runs.
    """
    pairs = list(zip(corpus.utterances, zip(*runs, strict=True), strict=True))
    unsteady = [(item, hypotheses) for item, hypotheses in pairs if len({(h.tokens, h.text) for h in hypotheses}) > 1]
    share = len(unsteady) / len(pairs)
    check = Check(
        name="unsteady",
        value=share,
        limit=0.0,
        keep="at",
        lower=share,
        upper=share,
        confidence=None,
        unit="of utterances",
        verdict=Verdict.FAIL if unsteady else Verdict.PASS,
        reason=f"{len(unsteady)} of {len(pairs)} clips differ between {len(runs)} decodings",
    )
    worst = tuple(
        Evidence(utterance=item, weight=1, rows=tuple((f"run {n}", h.text) for n, h in enumerate(hypotheses, 1)))
        for item, hypotheses in unsteady[:WORST]
    )
    judgement = replace(
        judgement_of("determinism", None, candidate, (check,), compute_type),
        corpus=corpus.name,
        utterances=len(pairs),
        words=sum(len(item.reference.split()) for item in corpus.speech),
        seed=seed,
    )
    return Outcome(judgement=judgement, worst=worst, counted="unsteady")
