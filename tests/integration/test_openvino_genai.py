"""OpenVINO GenAI runs the files of openvino, and says nearly the same."""

from collections.abc import Callable

import pytest

from pytest_whisperq.backends import Clip
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.speech import audio
from pytest_whisperq.system.errors import ConfigError

pytest.importorskip("openvino_genai")
pytestmark = pytest.mark.matrix

GateRun = Callable[..., GateRunner]


def test_the_same_ir_says_nearly_the_same(gate_run: GateRun) -> None:
    run = gate_run(candidate="openvino-genai:float32,openvino:float32", max_utterances="12")
    pipeline, optimum = (run.session.model(one) for one in run.config.candidates)
    name = "openvino_decoder_model.bin"
    assert pipeline.artifact.directory.joinpath(name).samefile(optimum.artifact.directory / name)
    same = [a == b for a, b in zip(pipeline.transcripts.texts, optimum.transcripts.texts, strict=True)]
    assert sum(same) >= 9
    assert pipeline.transcripts.compute_type == "float32"
    assert "stateful decoder 0 of" in pipeline.transcripts.operations


def test_the_language_is_the_one_that_is_heard_whatever_it_is_told(gate_run: GateRun) -> None:
    run = gate_run(candidate="openvino-genai:float32")
    model = run.session.decoder.load(run.session.model(run.config.candidates[0]).artifact)
    item = run.session.corpus.speech[0]
    samples = audio.load(item.audio)
    free, told = (model.transcribe([Clip(samples=samples, language=one)])[0] for one in (None, item.language))
    assert free.language == told.language


def test_its_stages_are_not_timed(gate_run: GateRun) -> None:
    run = gate_run(candidate="openvino-genai:int8", timing_budget="1")
    with pytest.raises(ConfigError, match="the stages of openvino-genai cannot be timed apart"):
        run.judge("speedup", run.config.candidates[0])


def test_it_hears_recordings_of_minutes_and_tells_times(gate_run: GateRun) -> None:
    run = gate_run(candidate="openvino-genai:float32")
    model = run.session.decoder.load(run.session.model(run.config.candidates[0]).artifact)
    clips = [Clip(samples=audio.load(one.audio), language="en") for one in run.session.corpus.speech[:2]]
    (text, _) = model.transcribe_timed(clips)
    assert all(0 <= one.start <= one.end <= 30 for one in text.segments)
    assert text.segments
    import numpy as np

    assert model.transcribe_long(np.tile(clips[0].samples, 12), "en")
