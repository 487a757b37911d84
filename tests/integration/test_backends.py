"""Every backend and precision really builds, runs what it promises, and transcribes the embedded recordings."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq import audio, embedded
from pytest_whisperq.backends import REAL_BACKENDS, Clip, get_backend
from pytest_whisperq.backends._whisper import FrontEnd
from pytest_whisperq.errors import BuildError
from pytest_whisperq.measure.error_rate import count_errors, error_rate
from pytest_whisperq.pipeline import GateRun

PAIRS = [f"{name}:{precision}" for name in REAL_BACKENDS for precision in get_backend(name).precisions]


@pytest.mark.parametrize("pair", PAIRS)
def test_it_executes_what_its_precision_promises(gate_run: Callable[..., GateRun], pair: str) -> None:
    run = gate_run(candidate=pair)
    model = run.model(run.config.candidates[0])
    backend, _, precision = pair.partition(":")
    assert model.transcripts.compute_type == get_backend(backend).precisions[precision]
    assert model.artifact.build_seconds > 0


@pytest.mark.parametrize("pair", PAIRS)
def test_it_transcribes_speech(gate_run: Callable[..., GateRun], pair: str) -> None:
    run = gate_run(candidate=pair)
    texts = run.texts(run.config.candidates[0])
    rate = error_rate([count_errors(item.reference, item.candidate) for item in texts.pairs])
    assert rate is not None
    assert rate < 0.5  # hearing nothing scores 1; how good the model is stands in its card, not here


@pytest.mark.parametrize("pair", ["ctranslate2:float32", "openvino:float32"])
def test_float32_says_the_same_on_every_backend(gate_run: Callable[..., GateRun], pair: str) -> None:
    run = gate_run(candidate=pair)
    texts = run.texts(run.config.candidates[0])
    same = sum(item.baseline == item.candidate for item in texts.pairs)
    assert same >= 0.95 * len(texts.pairs)


@pytest.mark.parametrize("backend", ["ctranslate2", "openvino"])
def test_int8_is_smaller_and_another_model(gate_run: Callable[..., GateRun], backend: str) -> None:
    run = gate_run(candidate=f"{backend}:float32,{backend}:int8")
    whole, small = (run.model(candidate).artifact for candidate in run.config.candidates)
    assert small.size < 0.6 * whole.size
    assert small.identity != whole.identity


@pytest.mark.parametrize("backend", REAL_BACKENDS)
def test_the_language_is_detected_where_the_corpus_does_not_say(gate_run: Callable[..., GateRun], backend: str) -> None:
    candidate = f"{backend}:float32"
    run = gate_run(candidate=candidate)
    artifact = run.model(run.config.candidates[0]).artifact
    transcriber = get_backend(backend).load("float32", artifact.directory, 1)
    items = [item for item in run.corpus.speech if item.kind == "synthetic"][:8]
    known = transcriber.transcribe([Clip(samples=audio.load(i.audio), language=i.language) for i in items])
    mixed = transcriber.transcribe(
        [Clip(samples=audio.load(i.audio), language=i.language if n % 2 else None) for n, i in enumerate(items)]
    )
    same = [a.text == b.text for a, b in zip(known, mixed, strict=True)]
    assert all(same[1::2])  # the clips whose language was given: their place in the batch must not get lost
    assert sum(same[::2]) >= 2  # of the four detected; a language may be misheard


def test_a_language_the_model_lacks_is_an_error_not_another_token(gate_run: Callable[..., GateRun]) -> None:
    """The tokenizer answers with end-of-text for any token it does not know."""
    run = gate_run(candidate="ctranslate2:float32")
    front_end = FrontEnd(run.model(run.config.candidates[0]).artifact.directory)
    assert len(set(front_end.prompt("en"))) == 4
    with pytest.raises(BuildError, match=r"lacks <\|xx\|>"):
        front_end.prompt("xx")


def test_a_checkpoint_that_does_not_say_how_to_prompt_it_is_refused(tmp_path: Path) -> None:
    shutil.copytree(embedded.model_directory(), tmp_path / "model")
    (tmp_path / "model" / "generation_config.json").unlink()
    backend = get_backend("transformers")
    (tmp_path / "built").mkdir()
    with pytest.raises(BuildError, match=r"generation_config.json lacks is_multilingual, lang_to_id or task_to_id"):
        backend.build("float32", tmp_path / "model", tmp_path / "built")
