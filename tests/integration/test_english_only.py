"""The English-only student runs through every backend: no language told, none detected, the same gates."""

import json
from collections.abc import Callable

import pytest
from pairs import matrix, on_embedded

from pytest_whisperq.backends import BUILT_IN, get_backend
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.scores import count_errors, error_rate
from pytest_whisperq.models.source import resolve_source
from pytest_whisperq.speech.corpus.longform import load_long_form, whole
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import ConfigError

TEACHER, STUDENT = package_data.MODELS[:2]
BACKENDS = [name for name in on_embedded(BUILT_IN) if name not in ("scripted", "openvino-stateless")]
"""A stateless decoder of one layer is one of two layers with less in it."""


@pytest.mark.parametrize("backend", matrix(BACKENDS, "ctranslate2"))
def test_every_backend_gates_it_on_english_alone(gate_run: Callable[..., GateRunner], backend: str) -> None:
    precision = get_backend(backend).recommended
    run = gate_run(candidate=f"{backend}:{precision}", model=STUDENT, max_utterances="8")
    (candidate,) = run.config.candidates
    accuracy = run.judge("accuracy", candidate).judgement
    assert "English only" in accuracy.corpus
    assert accuracy.verdict is not Verdict.FAIL
    assert run.judge("size", candidate).judgement.checks
    assert set(run.session.model(candidate).transcripts.languages) == {None}
    texts = run.session.texts(candidate)
    rate = error_rate([count_errors(item.reference, item.candidate) for item in texts.pairs])
    assert rate is not None
    assert rate < 0.5
    with pytest.raises(ConfigError, match="English-only and detects no language"):
        run.judge("language", candidate)


@pytest.mark.parametrize("backend", ["transformers", "faster-whisper", "openvino"])
@pytest.mark.matrix
def test_it_hears_recordings_of_minutes(gate_run: Callable[..., GateRunner], backend: str) -> None:
    run = gate_run(candidate=f"{backend}:float32", model=STUDENT)
    texts = run.session.long_texts(run.session.spec(run.config.candidates[0]))
    assert len(texts.texts) == len(whole(load_long_form())[0].utterances)
    # It was not taught timestamps, by which faster-whisper moves on: words are lost, but no window is, the last least.
    assert sum(bool(text) for text in texts.texts) > len(texts.texts) / 2
    assert any(texts.texts[-4:])


@pytest.mark.parametrize("backend", matrix(BACKENDS, "ctranslate2"))
def test_it_tells_times(gate_run: Callable[..., GateRunner], backend: str) -> None:
    run = gate_run(candidate=f"{backend}:float32", model=STUDENT, max_utterances="8")
    _, said = run.session.timed(run.session.spec(run.config.candidates[0]))
    assert sum(bool(text.segments) for text in said) >= len(said) - 1


def test_it_is_an_english_only_whisper_with_one_decoder_layer() -> None:
    directory = resolve_source(STUDENT).directory
    assert json.loads((directory / "config.json").read_text(encoding="utf-8"))["decoder_layers"] == 1
    vocabularies = [
        json.loads((resolve_source(name).directory / "vocab.json").read_text(encoding="utf-8"))
        for name in (TEACHER, STUDENT)
    ]
    assert "" not in vocabularies[1]
    assert vocabularies[1]["<|endoftext|>"] == vocabularies[0]["<|endoftext|>"] - 1
    assert (directory / "model.safetensors").stat().st_size <= 5e6


@pytest.mark.matrix
def test_it_hears_english_nearly_as_well_as_its_teacher(gate_run: Callable[..., GateRunner]) -> None:
    """On so few clips within 8 points; the model's card has the figure on all of them."""
    pair = {"candidate": "ctranslate2:float32", "baseline": f"ctranslate2:float32@{TEACHER}"}
    run = gate_run(**pair, model=STUDENT, max_utterances="24")
    drop = run.judge("accuracy", run.config.candidates[0]).judgement.checks[0]
    assert drop.value is not None
    assert drop.value < 8
