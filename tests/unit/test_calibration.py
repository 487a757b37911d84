"""The calibration set: seeded, identified by sound and settings, and never a part of what is evaluated."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ramp_model import write_recording

from pytest_whisperq.artifacts import ArtifactStore
from pytest_whisperq.audio_index import AudioIndex, ClipFacts
from pytest_whisperq.backends import Calibration
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.calibration import load_calibration_set, make_calibration
from pytest_whisperq.corpus import Corpus, load_corpus
from pytest_whisperq.errors import BuildError, CorpusError, WhisperqError
from pytest_whisperq.pipeline import GateRun
from pytest_whisperq.spec import ModelSpec

ALPHAS = (0.5, 0.95)
StartRun = Callable[..., GateRun]


def facts(corpus: Corpus, tmp_path: Path) -> dict[str, ClipFacts]:
    return AudioIndex(tmp_path).probe(corpus, lambda done, total: None)


@pytest.fixture
def chosen(tmp_path: Path, make_corpus: Callable[..., Path]) -> Corpus:
    return load_corpus(make_corpus(tmp_path / "calibration", ["one", "two", "three"], {"language": ["en", "fr", ""]}))


def made(corpus: Corpus, tmp_path: Path, alphas: tuple[float, float] = ALPHAS) -> Calibration:
    return make_calibration(corpus, facts(corpus, tmp_path), {}, alphas)


def test_the_embedded_set_is_large_enough_and_no_part_of_the_embedded_corpus(tmp_path: Path) -> None:
    whole = load_calibration_set("embedded")
    assert len(whole.utterances) >= 48
    evaluated = load_corpus()
    assert make_calibration(whole, facts(whole, tmp_path), facts(evaluated, tmp_path), ALPHAS).identity


def test_samples_are_a_seeded_subset(start_run: StartRun) -> None:
    first, again, other = (start_run(calibration_samples="16", seed=seed).calibration_set for seed in "001")
    assert len(first.utterances) == 16
    assert first == again
    assert first != other


def test_a_set_without_speech_is_an_error(tmp_path: Path, make_corpus: Callable[..., Path]) -> None:
    folder = make_corpus(tmp_path / "noise", ["", ""], {"kind": ["nonspeech", "nonspeech"]})
    with pytest.raises(CorpusError, match=r"--whisperq-calibration: .*noise holds no speech"):
        load_calibration_set(str(folder))


def test_clips_come_with_their_language(chosen: Corpus, tmp_path: Path) -> None:
    clips = made(chosen, tmp_path).clips()
    assert [clip.language for clip in clips] == ["en", "fr", None]
    assert all(clip.samples.shape == (1600,) for clip in clips)


def test_identity_is_of_sounds_and_settings(chosen: Corpus, tmp_path: Path) -> None:
    same = made(chosen, tmp_path).identity
    assert made(chosen, tmp_path).identity == same
    assert made(chosen, tmp_path, (0.5, 0.5)).identity != same
    assert made(Corpus(name="less", utterances=chosen.utterances[:2]), tmp_path).identity != same


def test_clips_that_are_evaluated_on_are_refused_by_name(
    chosen: Corpus, tmp_path: Path, make_corpus: Callable[..., Path]
) -> None:
    evaluated = load_corpus(make_corpus(tmp_path / "calls", ["one", "zero"]))  # clip0000 and clip0001 sound alike
    with pytest.raises(
        CorpusError, match=r"2 of 3 clips are evaluated on too.*clip0000\.wav, clip0001\.wav\. Take.*--whisperq-corpus"
    ):
        make_calibration(chosen, facts(chosen, tmp_path), facts(evaluated, tmp_path), ALPHAS)


def test_a_model_is_built_anew_for_another_calibration(
    tmp_path: Path, chosen: Corpus, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    keys = [
        ArtifactStore(tmp_path, on_build=print, calibration=lambda alphas=alphas: made(chosen, tmp_path, alphas)).key(
            spec
        )
        for alphas in (ALPHAS, ALPHAS, (0.0, 0.0))
    ]
    assert keys[0] == keys[1] != keys[2]
    with pytest.raises(BuildError, match="scripted:int8 needs a calibration set; name one with --whisperq-calibration"):
        ArtifactStore(tmp_path, on_build=print).key(spec)


def test_a_run_calibrates_on_what_it_was_told(
    tmp_path: Path,
    make_corpus: Callable[..., Path],
    start_run: StartRun,
    builds_with: list[Calibration | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    folder = make_corpus(tmp_path / "calibration", [f"text {number}" for number in range(9)])
    for number in range(5):  # the clips that every made corpus has
        (folder / f"clip{number:04}.wav").unlink()
    lines = (folder / "metadata.csv").read_text().splitlines()
    (folder / "metadata.csv").write_text("\n".join([lines[0], *lines[6:]]) + "\n")
    chosen = {}
    for seed in ("0", "1", "2"):
        options = {"calibration": str(folder), "calibration_samples": "2", "smooth_quant": "0.1,0.2", "seed": seed}
        run = start_run(**options)
        artifact = run.model(run.config.candidates[0]).artifact
        (given,) = builds_with
        builds_with.clear()
        assert given
        assert given.alphas == (0.1, 0.2)
        assert len(given.clips()) == 2
        assert artifact.calibration == given.summary
        assert given.summary.startswith(f"calibrated on 2 clips of {folder} (")
        chosen[given.identity] = seed
    assert len(chosen) > 1  # the seed chooses the clips
    assert run.transcripts(run.baseline_spec).artifact.calibration == ""
    assert builds_with == [None]  # float32 asks for no calibration


def test_clips_of_the_corpus_end_the_run(
    tmp_path: Path, chosen: Corpus, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    run = start_run(calibration=str(tmp_path / "calibration"), calibration_samples="2")
    with pytest.raises(CorpusError, match="2 of 2 clips are evaluated on too"):
        _ = run.model(run.config.candidates[0]).artifact


@pytest.fixture
def builds_with(monkeypatch: pytest.MonkeyPatch) -> list[Calibration | None]:
    """What every build of the scripted backend is given."""
    given: list[Calibration | None] = []
    build = ScriptedBackend.build

    def watched(self: ScriptedBackend, precision: str, source: Path, directory: Path, data: Calibration | None) -> None:
        given.append(data)
        build(self, precision, source, directory, data)

    monkeypatch.setattr(ScriptedBackend, "build", watched)
    return given


@pytest.mark.parametrize("typed", ["nowhere", "~nobody-at-all/x"])
def test_a_set_that_is_not_there_is_blamed_on_its_own_option(typed: str) -> None:
    with pytest.raises(WhisperqError, match=f"^--whisperq-calibration: '{typed}' "):
        load_calibration_set(typed)


def test_spans_of_the_long_recordings_are_refused_too(
    tmp_path: Path, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = str(write_recording(tmp_path))
    options = {"long_form": listing, "calibration": listing}
    assert start_run(**options).long_form.utterances  # nothing in the run is calibrated
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    with pytest.raises(
        CorpusError, match=r"--whisperq-calibration: .* clips are evaluated on too.*--whisperq-long-form"
    ):
        _ = start_run(**options).long_form
