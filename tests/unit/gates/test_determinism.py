"""The determinism gate: one clip that differs is proof."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pytest_whisperq import load_corpus
from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.gates.determinism import judge_determinism
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.corpus import Corpus

Artifacts = Callable[..., Artifact]


def decoded(*texts: str) -> list[Hypothesis]:
    return [Hypothesis(text=text, tokens=tuple(map(ord, text))) for text in texts]


def test_one_clip_that_differs_is_proof(artifact: Artifacts, tmp_path: Path, make_corpus: object) -> None:
    corpus = load_corpus(make_corpus(tmp_path, ["one", "two", "three"]))  # type: ignore[operator]
    steady = decoded("one", "two", "three")
    assert verdict(artifact, corpus, [steady, steady, steady]) is Verdict.PASS
    assert verdict(artifact, corpus, [steady, steady, decoded("one", "too", "three")]) is Verdict.FAIL
    other_tokens = [*steady[:2], replace(steady[2], tokens=(1,))]
    assert verdict(artifact, corpus, [steady, other_tokens]) is Verdict.FAIL


def verdict(artifact: Artifacts, corpus: Corpus, runs: list[list[Hypothesis]]) -> Verdict:
    outcome = judge_determinism(artifact("int8"), "int8", corpus, runs, seed=0)
    assert len(outcome.worst) == (outcome.judgement.verdict is Verdict.FAIL)
    return outcome.judgement.verdict
