"""The stages that speed gates time, on real runtimes; and true shapes with random weights, timed offline."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pairs import on_embedded

from pytest_whisperq.backends import Clip
from pytest_whisperq.backends._whisper import FrontEnd
from pytest_whisperq.gates.registry import all_gates
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring import stopwatch
from pytest_whisperq.models.random_weights import random_source
from pytest_whisperq.speech import audio
from pytest_whisperq.system.errors import ConfigError


@pytest.mark.parametrize("backend", on_embedded())
def test_stages_replay_what_is_given_and_leave_no_trace(gate_run: Callable[..., GateRunner], backend: str) -> None:
    run = gate_run(candidate=f"{backend}:float32")
    model = run.session.decoder.load(run.session.store.get(run.session.spec(run.config.candidates[0])))
    first, second = (
        Clip(samples=audio.load(item.audio), language=item.language) for item in run.session.corpus.speech[:2]
    )
    before = [said.tokens for said in model.transcribe([first])]
    heard = model.encode(model.prepare(first))
    model.encode(model.prepare(second))  # which must not change what was heard before
    for count in (1, 2, 5, 40):
        model.replay(heard, first, range(1, count + 1))
    assert [said.tokens for said in model.transcribe([first])] == before


def test_what_was_encoded_outlives_the_next_window(gate_run: Callable[..., GateRunner]) -> None:
    run = gate_run(candidate="openvino:float32")
    model = run.session.decoder.load(run.session.store.get(run.session.spec(run.config.candidates[0])))
    first, second = (
        Clip(samples=audio.load(item.audio), language=item.language) for item in run.session.corpus.speech[:2]
    )
    heard = model.encode(model.prepare(first))
    kept = heard.last_hidden_state.clone()
    model.encode(model.prepare(second))
    assert (heard.last_hidden_state == kept).all()


def test_random_weights_have_the_true_shape_and_order_and_are_made_once(tmp_path: Path) -> None:
    source = random_source("random:whisper-tiny", tmp_path, "--whisperq-model")
    made = (source.directory / "model.safetensors").stat()
    again = random_source("random:whisper-tiny", tmp_path, "--whisperq-model")
    assert again == source
    assert (again.directory / "model.safetensors").stat() == made
    assert 75_000_000 < made.st_size < 76_000_000  # 37.8 million weights of two bytes, as openai/whisper-tiny has
    vocabulary = FrontEnd(source.directory).tokenizer.get_vocab()
    assert len(vocabulary) == 51_865
    order = {"<|endoftext|>": 50_257, "<|en|>": 50_259, "<|transcribe|>": 50_359, "<|0.00|>": 50_364}
    assert {name: vocabulary[name] for name in order} == order
    english = random_source("random:whisper-tiny.en", tmp_path, "--whisperq-model")
    assert FrontEnd(english.directory).prompt(None) == [50_257, 50_362]
    assert not list((tmp_path / "random").glob(".build*"))


@pytest.mark.matrix
def test_speed_is_gated_on_random_weights_and_what_they_say_is_not(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopwatch, "CLIPS", 2)
    run = gate_run(candidate="ctranslate2:int8", model="random:whisper-tiny", timing_budget="2")
    (candidate,) = run.config.candidates
    for gate in (one.name for one in all_gates() if one.hears_speech):
        with pytest.raises(
            ConfigError, match=f"whisperq_{gate}: random:whisper-tiny says nothing that could be judged"
        ):
            run.judge(gate, candidate)
    assert run.judge("size", candidate).judgement.verdict is Verdict.PASS
    judgement = run.judge("speedup", candidate, stage="encoder", min_ratio=0.01).judgement
    assert judgement.candidate == "ctranslate2:int8"
    assert judgement.compute_type == "int8_float32"
    assert judgement.notes[2] == "tokens said about the 2 clips: 64 → 64"
