"""The calibration set: seeded, identified by sound and settings, and never a part of what is evaluated."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from ramp_model import write_recording

from pytest_whisperq import audio
from pytest_whisperq.artifacts import ArtifactStore
from pytest_whisperq.audio import AudioSource
from pytest_whisperq.audio_index import AudioIndex, ClipFacts
from pytest_whisperq.backends import Calibration
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.calibration import load_calibration_set, make_calibration, set_aside, without
from pytest_whisperq.corpus import Corpus, Utterance, load_corpus
from pytest_whisperq.errors import BuildError, ConfigError, CorpusError, WhisperqError
from pytest_whisperq.pipeline import GateRun
from pytest_whisperq.preflight import calibration_lines
from pytest_whisperq.spec import ModelSpec

ALPHAS = (0.5, 0.95)
StartRun = Callable[..., GateRun]


def facts(corpus: Corpus, tmp_path: Path) -> dict[str, ClipFacts]:
    return AudioIndex(tmp_path).probe(corpus, lambda done, total: None)


@pytest.fixture
def chosen(tmp_path: Path, make_corpus: Callable[..., Path]) -> Corpus:
    return load_corpus(make_corpus(tmp_path / "calibration", ["one", "two", "three"], {"language": ["en", "fr", ""]}))


def made(corpus: Corpus, tmp_path: Path, alphas: tuple[float, float] = ALPHAS) -> Calibration:
    return make_calibration(corpus, facts(corpus, tmp_path), {}, alphas, len(corpus.utterances))


def test_the_embedded_set_is_large_enough_and_no_part_of_the_embedded_corpus(tmp_path: Path) -> None:
    whole = load_calibration_set("embedded")
    assert len(whole.utterances) >= 48
    evaluated = load_corpus()
    assert make_calibration(whole, facts(whole, tmp_path), facts(evaluated, tmp_path), ALPHAS, 48).identity


def test_samples_are_a_seeded_subset(start_run: StartRun) -> None:
    first, again, other = (
        start_run(calibration="embedded", calibration_samples="16", seed=seed).calibration_set for seed in "001"
    )
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
        make_calibration(chosen, facts(chosen, tmp_path), facts(evaluated, tmp_path), ALPHAS, 3)


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
    folder = others(make_corpus, tmp_path / "calibration")
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


def spoken(sizes: dict[str, int], languages: dict[str, str] | None = None) -> Corpus:
    """A corpus of so many utterances in each cluster; "" are utterances without one."""
    items = [
        Utterance(
            id=f"{cluster or 'alone'}-{number}.wav",
            where=f"metadata.csv:{number}",
            audio=AudioSource(label=f"{cluster}-{number}.wav"),
            reference="said",
            language=(languages or {}).get(cluster, "en"),
            cluster=cluster,
        )
        for cluster, size in sizes.items()
        for number in range(size)
    ]
    return Corpus(name="calls", utterances=tuple(items))


def clusters(corpus: Corpus) -> dict[str, int]:
    return dict(Counter(item.cluster for item in corpus.utterances))


@pytest.mark.parametrize("seed", range(5))
def test_whole_clusters_are_set_aside_as_many_as_were_asked_for(seed: int) -> None:
    sizes = {f"speaker{number}": 1 + number % 4 for number in range(30)}
    corpus = spoken(sizes)
    aside = set_aside(corpus, 32, seed)
    rest = without(corpus, aside)
    assert len(aside.utterances) == 32
    assert all(sizes[name] == size for name, size in clusters(aside).items())
    assert not clusters(aside).keys() & clusters(rest).keys()
    assert {*aside.utterances, *rest.utterances} == {*corpus.utterances}
    assert rest.name == "calls less 32 set aside for calibration"
    assert aside == set_aside(corpus, 32, seed)


def test_the_seed_chooses_what_is_set_aside() -> None:
    corpus = spoken({"": 100})
    assert len({set_aside(corpus, 10, seed).utterances for seed in range(3)}) == 3


def test_clusters_that_do_not_add_up_give_more_never_fewer() -> None:
    """The smallest that is enough: of speakers with six utterances each two make up for ten."""
    aside = set_aside(spoken({f"speaker{number}": 6 for number in range(20)}), 10, 0)
    assert len(aside.utterances) == 12


def test_a_cluster_that_is_too_large_is_passed_over() -> None:
    aside = set_aside(spoken({"hotline": 60, **{f"speaker{number}": 1 for number in range(40)}}), 20, 0)
    assert "hotline" not in clusters(aside)
    assert len(aside.utterances) == 20


def test_languages_are_set_aside_in_their_proportions() -> None:
    sizes = {f"{language}{number}": 1 for language in ("en", "fr") for number in range(60 if language == "en" else 30)}
    aside = set_aside(spoken(sizes, {name: name[:2] for name in sizes}), 30, 3)
    assert Counter(item.language for item in aside.utterances) == {"en": 20, "fr": 10}


@pytest.mark.parametrize(
    ("sizes", "size", "ask"),
    [
        ({"kerstin": 60}, 32, ""),  # one speaker
        ({"": 40}, 32, "Or ask for 20 of them: --whisperq-calibration-samples=20."),
        ({"a": 7, "b": 7, "c": 7}, 8, "Or ask for 7 of them: --whisperq-calibration-samples=7."),
    ],
)
def test_a_corpus_that_cannot_spare_them_is_told_what_to_type(sizes: dict[str, int], size: int, ask: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^--whisperq-calibration: name recordings to calibrate on\. calls has"
    ) as error:
        set_aside(spoken(sizes), size, 0)
    assert f"at least half. {ask}".strip() in str(error.value)
    assert ("Or ask for" in str(error.value)) == bool(ask)


def test_a_user_s_own_model_is_calibrated_on_what_is_set_aside_and_never_evaluated_on_it(
    tmp_path: Path,
    make_corpus: Callable[..., Path],
    start_run: StartRun,
    builds_with: list[Calibration | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    make_corpus(tmp_path / "corpus", [f"text {number}" for number in range(40)])
    run = start_run(calibration_samples="8")
    (candidate,) = run.config.candidates
    assert run.set_aside
    texts = run.texts(candidate)
    (given,) = [one for one in builds_with if one]
    assert len(given.clips()) == 8
    assert len(texts.pairs) == 32
    assert texts.corpus.name.endswith("corpus less 8 set aside for calibration")
    heard = {audio.pcm_digest(clip.samples) for clip in given.clips()}
    assert not heard & {run.facts[item.id].digest for item in run.corpus.utterances}
    assert "calibrated on 8 clips of" in run.model(candidate).artifact.calibration
    assert "corpus, set aside (" in run.model(candidate).artifact.calibration
    (first, *_), names = calibration_lines(run), sorted(item.id for item in run.set_aside.utterances)
    assert first.startswith("calibrated on 8 utterances of the corpus, set aside by seed 0 and not evaluated: ")
    assert first.endswith(f"{', '.join(names[:3])} and 5 more (--whisperq-calibration names others)")


@pytest.mark.parametrize("utterances", ["5", "20"])
def test_a_part_of_the_corpus_is_evaluated_without_what_is_set_aside_of_the_whole(
    tmp_path: Path,
    make_corpus: Callable[..., Path],
    start_run: StartRun,
    utterances: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    make_corpus(tmp_path / "corpus", [f"text {number}" for number in range(40)])
    whole = start_run(calibration_samples="8")
    part = start_run(calibration_samples="8", max_utterances=utterances)
    assert part.set_aside == whole.set_aside
    assert part.set_aside
    assert len(part.corpus.utterances) == int(utterances)
    assert not {*part.corpus.utterances} & {*part.set_aside.utterances}


def test_a_run_that_calibrates_nothing_sets_nothing_aside(start_run: StartRun) -> None:
    run = start_run()
    assert run.set_aside is None
    assert calibration_lines(run) == []
    with pytest.raises(ConfigError, match=r"--whisperq-calibration: name recordings to calibrate .* on"):
        _ = run.calibration_set


def test_a_copy_in_another_cluster_is_named(
    tmp_path: Path, make_corpus: Callable[..., Path], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the model would be evaluated on what it was calibrated on."""
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    folder = make_corpus(tmp_path / "corpus", ["same text"] * 20)
    run = start_run(calibration_samples="4")
    assert run.set_aside
    original = run.set_aside.utterances[0].id
    copy = next(item.id for item in run.corpus.utterances)
    shutil.copy(folder / original, folder / copy)
    with pytest.raises(CorpusError, match=f"{original} is set aside for calibration, and {copy}, the same recording"):
        _ = start_run(calibration_samples="4").calibration


def test_fewer_clips_than_asked_for_are_never_taken_without_a_word(
    tmp_path: Path, make_corpus: Callable[..., Path], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    folder = others(make_corpus, tmp_path / "calibration")
    run = start_run(calibration=str(folder))
    summary = run.model(run.config.candidates[0]).artifact.calibration
    assert summary.startswith(f"calibrated on 4 clips of {folder}, which has no more of the 32 asked for (")
    (line,) = calibration_lines(run)
    says = "--whisperq-calibration-samples asks for 32, and it has no more"
    assert line == f"calibrated on 4 utterances of {folder}: {says}"
    assert calibration_lines(start_run(calibration=str(folder), calibration_samples="4")) == []


def others(make_corpus: Callable[..., Path], folder: Path) -> Path:
    """Make four recordings that are not among the five of the run's corpus."""
    make_corpus(folder, [f"text {number}" for number in range(9)])
    for number in range(5):
        (folder / f"clip{number:04}.wav").unlink()
    header, *rows = (folder / "metadata.csv").read_text().splitlines()
    (folder / "metadata.csv").write_text("\n".join([header, *rows[5:]]) + "\n")
    return folder
