"""The determinism gate: one clip that differs is proof."""

from dataclasses import replace
from pathlib import Path

from pytest_whisperq import load_corpus
from pytest_whisperq.backends import Hypothesis
from pytest_whisperq.gates.determinism import judge_determinism
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.models.source import ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech.corpus import Corpus

SOURCE = SourceModel(name="made", directory=Path("nowhere"), identity="made")


def artifact(precision: str, size: int = 1000, directory: Path = SOURCE.directory) -> Artifact:
    spec = ModelSpec(backend="scripted", precision=precision, source=SOURCE)
    return Artifact(spec=spec, key="", directory=directory, identity="", size=size, build_seconds=1.0)


def decoded(*texts: str) -> list[Hypothesis]:
    return [Hypothesis(text=text, tokens=tuple(map(ord, text))) for text in texts]


def test_one_clip_that_differs_is_proof(tmp_path: Path, make_corpus: object) -> None:
    corpus = load_corpus(make_corpus(tmp_path, ["one", "two", "three"]))  # type: ignore[operator]
    steady = decoded("one", "two", "three")
    assert verdict(corpus, [steady, steady, steady]) is Verdict.PASS
    assert verdict(corpus, [steady, steady, decoded("one", "too", "three")]) is Verdict.FAIL
    other_tokens = [*steady[:2], replace(steady[2], tokens=(1,))]
    assert verdict(corpus, [steady, other_tokens]) is Verdict.FAIL


def verdict(corpus: Corpus, runs: list[list[Hypothesis]]) -> Verdict:
    outcome = judge_determinism(artifact("int8"), "int8", corpus, runs, seed=0)
    assert len(outcome.worst) == (outcome.judgement.verdict is Verdict.FAIL)
    return outcome.judgement.verdict
