"""whisper.cpp, which knows OpenAI's vocabularies alone: on random weights of a true size, whatever they say."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.backends import Clip, get_backend
from pytest_whisperq.backends._whisper import quiet_libraries
from pytest_whisperq.contract import Subject, parametrize_backend_checks
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring import stopwatch
from pytest_whisperq.models.random_weights import random_source
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus, subset
from pytest_whisperq.system.errors import BuildError

pytest.importorskip("_pywhispercpp")

GateRun = Callable[..., GateRunner]
MODEL = "random:whisper-tiny"
CLIPS = [Clip(samples=audio.load(item.audio), language="en") for item in subset(load_corpus(), 2, seed=0).utterances]
SUBJECT = Subject(get_backend("whispercpp"), precision="q5_0", clips=CLIPS)


def test_the_embedded_model_is_refused_before_anything_is_built(gate_run: GateRun, tmp_path: Path) -> None:
    run = gate_run(candidate="whispercpp:q8_0", cache_dir=str(tmp_path))
    with pytest.raises(BuildError, match=r"whispercpp:q8_0: whisper\.cpp counts .* this checkpoint has \d+; gate"):
        run.session.read()
    with pytest.raises(BuildError, match="knows vocabularies of 51864, 51865, 51866 tokens"):
        run.session.store.get(run.session.spec(run.config.candidates[0]))
    assert not list((tmp_path / "artifacts").glob("*/model"))


@pytest.fixture(scope="module")
def source(cache_dir: Path) -> None:
    """The checkpoint of the subject is made once a run."""
    SUBJECT._model = random_source(MODEL, cache_dir, "--whisperq-model").directory


@pytest.mark.matrix
@pytest.mark.usefixtures("source")
@parametrize_backend_checks(SUBJECT)
def test_it_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


@pytest.mark.matrix
def test_what_executes_is_read_back_and_timed(gate_run: GateRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "CLIPS", 2)
    run = gate_run(candidate="whispercpp:q4_0", model=MODEL, timing_budget="2")
    (candidate,) = run.config.candidates
    assert run.judge("size", candidate).judgement.verdict is Verdict.PASS
    judgement = run.judge("speedup", candidate, stage="decoder", min_ratio=0.01).judgement
    assert (judgement.baseline, judgement.compute_type) == ("whispercpp:float16", "q4_0")
    model = run.session.decoder.load(run.session.model(candidate).artifact)
    assert re.match(r"(\d+) of \1 weight matrices in q4_0; the library uses \w+", model.operations)


@pytest.mark.matrix
def test_windows_that_are_kept_do_not_change(gate_run: GateRun) -> None:
    run = gate_run(candidate="whispercpp:q4_0", model=MODEL)
    model = run.session.decoder.load(run.session.model(run.config.candidates[0]).artifact)
    windows = [model.encode(model.prepare(clip)) for clip in CLIPS]
    assert windows[0].context is not windows[1].context
    before = model.transcribe(CLIPS[:1])
    for window, clip in zip(windows, CLIPS, strict=True):
        model.replay(window, clip, range(1, 9))
    assert model.transcribe(CLIPS[:1]) == before
    del window  # the last one
    kept = windows.pop().context
    assert model.encode(model.prepare(CLIPS[1])).context is kept  # one that nobody needs serves the next


@pytest.mark.matrix
def test_a_file_that_others_made_is_gated_as_it_lies(gate_run: GateRun, tmp_path: Path) -> None:
    built = gate_run(candidate="whispercpp:q4_0", model=MODEL)
    made = built.session.model(built.config.candidates[0]).artifact.directory / "ggml-model.bin"
    file = tmp_path / "ggml-tiny-q4_0.bin"
    file.write_bytes(made.read_bytes())
    run = gate_run(candidate=f"whispercpp@{file}", model=MODEL)
    (candidate,) = run.config.candidates
    assert str(candidate) == "whispercpp:q4_0@ggml-tiny-q4_0.bin"
    run.session.read()
    model = run.session.decoder.load(run.session.model(candidate).artifact)
    assert model.compute_type == "q4_0"
    (note,) = run.session.model(candidate).artifact.notes
    assert "generation_config.json" in note
    other = gate_run(candidate=f"whispercpp@{file}", model="random:whisper-tiny.en")
    with pytest.raises(BuildError, match=r"it was not made of random:whisper-tiny\.en: vocab_size 51865 for 51864"):
        _ = other.session.model(other.config.candidates[0]).artifact
    file.write_bytes(made.read_bytes()[:-100])
    with pytest.raises(BuildError, match=r"ggml-tiny-q4_0\.bin: the file is damaged: it is cut"):
        gate_run(candidate=f"whispercpp@{file}", model=MODEL)


@pytest.mark.matrix
@pytest.mark.usefixtures("source")
def test_another_tokenizer_is_refused(tmp_path: Path, cache_dir: Path) -> None:
    import shutil

    folder = shutil.copytree(SUBJECT.directory, tmp_path / "model")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"Ġw300"', '"Ġother"'), encoding="utf-8")
    with quiet_libraries(), pytest.raises(BuildError, match="the tokenizer is another model's: its tokens are not"):
        get_backend("whispercpp").load("q5_0", folder, 1)
