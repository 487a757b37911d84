"""The calibration set: seeded, identified by sound and settings, and never a part of what is evaluated."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ramp_model import write_recording

from pytest_whisperq.backends import Calibration
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.commands import sweep as sweeping
from pytest_whisperq.gates.forecast import calibration_lines
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models.calibration import load_calibration_set, make_calibration, set_aside, without
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import ArtifactStore
from pytest_whisperq.reporting.build_document import Collector, Gated
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.clip_index import AudioIndex, ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance, load_corpus
from pytest_whisperq.system.errors import BuildError, ConfigError, CorpusError, QuantizationError, WhisperqError

ALPHAS = (0.5, 0.95)
StartRun = Callable[..., GateRunner]


def facts(corpus: Corpus, tmp_path: Path) -> dict[str, ClipFacts]:
    return AudioIndex(tmp_path, print).probe(corpus, lambda done, total: None)


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
    first, again, other = (
        start_run(calibration="embedded", calibration_samples="16", seed=seed).session.recordings.calibration_set
        for seed in "001"
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
    assert all(clip.samples.shape == (24_000,) for clip in clips)


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
        CorpusError, match=r"2 of 3 clips are evaluated on too.*clip0000\.wav, clip0001\.wav; take.*--whisperq-corpus"
    ):
        make_calibration(chosen, facts(chosen, tmp_path), facts(evaluated, tmp_path), ALPHAS)


def test_a_model_is_built_anew_for_another_calibration(
    tmp_path: Path, chosen: Corpus, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    keys = [
        ArtifactStore(tmp_path, print, print, calibration=lambda alphas=alphas: made(chosen, tmp_path, alphas)).key(
            spec
        )
        for alphas in (ALPHAS, ALPHAS, (0.0, 0.0))
    ]
    assert keys[0] == keys[1] != keys[2]
    with pytest.raises(BuildError, match="scripted:int8: needs a calibration set; name one with --whisperq-cal"):
        ArtifactStore(tmp_path, print, print).key(spec)


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
        artifact = run.session.model(run.config.candidates[0]).artifact
        (given,) = builds_with
        builds_with.clear()
        assert given
        assert given.alphas == (0.1, 0.2)
        assert len(given.clips()) == 2
        assert artifact.calibration == given.summary
        assert given.summary.startswith(f"calibrated on 2 clips of {folder} (")
        chosen[given.identity] = seed
    assert len(chosen) > 1  # the seed chooses the clips
    assert run.session.transcripts(run.session.baseline_spec).artifact.calibration == ""
    assert builds_with == [None]  # float32 asks for no calibration


def test_clips_of_the_corpus_end_the_run(
    tmp_path: Path, chosen: Corpus, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    run = start_run(calibration=str(tmp_path / "calibration"), calibration_samples="2")
    with pytest.raises(CorpusError, match="2 of 2 clips are evaluated on too"):
        _ = run.session.model(run.config.candidates[0]).artifact


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
    assert start_run(**options).session.recordings.long_form.utterances  # nothing in the run is calibrated
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    with pytest.raises(
        CorpusError, match=r"--whisperq-calibration: .* clips are evaluated on too.*--whisperq-long-form"
    ):
        _ = start_run(**options).session.recordings.long_form


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


@pytest.mark.parametrize(("sizes", "size", "expected"), [((25, 28, 39), 32, 39), ((9, 9, 14), 23, 23)])
def test_any_clusters_that_add_up_are_found_or_those_with_the_least_more(
    sizes: tuple[int, ...], size: int, expected: int
) -> None:
    """Where the first that fit do not add up: 9 and 9 are short of 23, 9 and 14 are not."""
    corpus = spoken({f"speaker{number}": count for number, count in enumerate((*sizes, *[90] * 5))})
    assert {len(set_aside(corpus, size, seed).utterances) for seed in range(8)} == {expected}


@pytest.mark.parametrize("seed", range(3))
def test_no_language_is_set_aside_as_a_whole(seed: int) -> None:
    """One German speaker gives as many of her clips as is German's proportion; of the English, a whole one is taken."""
    sizes = {**{f"speaker{number}": 60 for number in range(10)}, "kerstin": 32}
    aside = set_aside(spoken(sizes, {"kerstin": "de"}), 32, seed)
    assert Counter(item.language for item in aside.utterances) == {"en": 60, "de": 2}


@pytest.mark.parametrize("sizes", [{"kerstin": 60}, {"a": 30, "b": 30}, {"a": 12, "b": 12, "c": 12, "d": 12, "e": 12}])
def test_few_speakers_all_stay_to_be_evaluated_on(sizes: dict[str, int]) -> None:
    """None can be spared of one, two or five: each gives single clips."""
    corpus = spoken(sizes)
    aside = set_aside(corpus, 24, 0)
    assert len(aside.utterances) == 24
    assert clusters(without(corpus, aside)).keys() == sizes.keys()


def test_six_speakers_give_one_and_five_are_left() -> None:
    corpus = spoken({f"speaker{number}": 12 for number in range(6)})
    aside = set_aside(corpus, 12, 0)
    assert list(clusters(aside).values()) == [12]
    assert len(clusters(without(corpus, aside))) == 5


def test_a_language_of_several_speakers_keeps_half_of_its_speech() -> None:
    sizes = {**{f"en{number}": 40 for number in range(20)}, **{f"de{number}": 40 for number in range(3)}}
    aside = set_aside(spoken(sizes, {name: name[:2] for name in sizes}), 64, 0)
    counts = Counter(item.language for item in aside.utterances)
    assert counts["de"] == 40
    assert counts["en"] == 40


@pytest.mark.parametrize(
    ("sizes", "size", "ask"),
    [
        ({"": 1}, 32, ""),
        ({"": 40}, 32, "Or ask for 20 of them: --whisperq-calibration-samples=20."),
        ({"kerstin": 60}, 32, "Or ask for 30 of them: --whisperq-calibration-samples=30."),
        ({"a": 7, "b": 7, "c": 7}, 11, "Or ask for 10 of them: --whisperq-calibration-samples=10."),
    ],
)
def test_a_corpus_that_cannot_spare_them_is_told_what_to_type(sizes: dict[str, int], size: int, ask: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^--whisperq-calibration: calls has .*; name recordings to calibrate on\."
    ) as error:
        set_aside(spoken(sizes), size, 0)
    assert f"at least half; name recordings to calibrate on. {ask}".strip() in str(error.value)
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
    assert run.session.recordings.set_aside
    texts = run.session.texts(candidate)
    (given,) = [one for one in builds_with if one]
    assert len(given.clips()) == 8
    assert len(texts.pairs) == 32
    assert texts.corpus.name.endswith("corpus less 8 set aside for calibration")
    heard = {audio.pcm_digest(clip.samples) for clip in given.clips()}
    assert not heard & {run.session.recordings.facts[item.id].digest for item in run.session.corpus.utterances}
    assert "calibrated on 8 clips of" in run.session.model(candidate).artifact.calibration
    assert "corpus, set aside (" in run.session.model(candidate).artifact.calibration
    (first, *_), names = (
        calibration_lines(run.session),
        sorted(item.id for item in run.session.recordings.set_aside.utterances),
    )
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
    assert part.session.recordings.set_aside == whole.session.recordings.set_aside
    assert part.session.recordings.set_aside
    assert len(part.session.corpus.utterances) == int(utterances)
    assert not {*part.session.corpus.utterances} & {*part.session.recordings.set_aside.utterances}


def test_a_run_that_calibrates_nothing_sets_nothing_aside(start_run: StartRun) -> None:
    run = start_run()
    assert run.session.recordings.set_aside is None
    assert calibration_lines(run.session) == []
    with pytest.raises(ConfigError, match=r"--whisperq-calibration: name recordings to calibrate .* on"):
        _ = run.session.recordings.calibration_set


def test_a_copy_of_what_is_set_aside_is_not_evaluated_either(
    tmp_path: Path, make_corpus: Callable[..., Path], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files of one sound are one piece of evidence: the model has heard it."""
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    folder = make_corpus(tmp_path / "corpus", ["same text"] * 20)
    run = start_run(calibration_samples="4")
    assert run.session.recordings.set_aside
    copy = run.session.corpus.utterances[0].id
    shutil.copy(folder / run.session.recordings.set_aside.utterances[0].id, folder / copy)
    again = start_run(calibration_samples="4")
    assert again.session.recordings.copies == {copy}
    assert len(again.session.corpus.utterances) == len(again.session.recordings.facts) == 15
    assert again.session.recordings.calibration.identity
    assert "and 1 of the same clusters or sounds are neither: " in calibration_lines(again.session)[0]


def test_a_language_that_is_not_calibrated_on_is_named(
    tmp_path: Path, make_corpus: Callable[..., Path], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    languages = ["en"] * 20 + ["de"] * 2
    make_corpus(
        tmp_path / "corpus",
        [f"text {number}" for number in range(22)],
        {"language": languages, "cluster": [str(number) for number in range(20)] + ["kerstin"] * 2},
    )
    (line,) = calibration_lines(start_run(calibration_samples="4").session)
    assert "and not evaluated (none in de): " in line


def test_a_candidate_that_is_only_skipped_calibrates_nothing(
    start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a small corpus would be refused for a backend that is not there."""
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    run = start_run()
    absent = tuple(replace(candidate, missing="not installed") for candidate in run.config.candidates)
    run = GateRunner(replace(run.config, candidates=absent))
    assert not run.session.recordings.calibrates
    assert run.session.recordings.set_aside is None
    assert len(run.session.corpus.utterances) == 5


def test_a_file_that_is_heard_as_a_whole_is_not_calibrated_on_in_parts(
    tmp_path: Path, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other cuts of one recording have other digests, and long recordings are decoded from end to end."""
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    listing = write_recording(tmp_path)
    rows = [json.loads(line) for line in listing.read_text().splitlines()]
    other = listing.with_name("parts.jsonl")
    other.write_text("\n".join(json.dumps({**row, "offset": row["offset"] + 0.01}) for row in rows[:1]) + "\n")
    with pytest.raises(
        CorpusError, match=r"parts\.jsonl:1 calibrates on a part of .* all of which --whisperq-long-form"
    ):
        _ = start_run(long_form=str(listing), calibration=str(other)).session.recordings.long_form


@pytest.fixture
def sweep_options(
    tmp_path: Path, make_corpus: Callable[..., Path], make_script: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str | None]:
    """What a sweep over a scripted model is given; its corpus is its calibration set's neighbour."""
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    monkeypatch.setattr(sweeping, "CANDIDATE", "scripted:int8")
    corpus = make_corpus(tmp_path / "corpus", [f"text {number}" for number in range(20)])
    return {
        "whisperq_model": str(make_script(tmp_path / "model", corpus, {"float32": None, "int8": None})),
        "whisperq_baseline": "scripted:float32",
        "whisperq_corpus": str(corpus),
        "whisperq_cache_dir": str(tmp_path / "cache"),
    }


def test_a_sweep_wants_a_calibration_set_for_a_model_of_ones_own(sweep_options: dict[str, str | None]) -> None:
    with pytest.raises(ConfigError, match=r"^--calibration: name recordings to calibrate on"):
        next(sweeping.sweep(sweep_options, [2, 4], [ALPHAS]))


def test_a_sweep_goes_on_behind_a_setting_that_breaks_the_model(
    sweep_options: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it goes no further behind an error that is no matter of settings."""
    build = ScriptedBackend.build

    def breaks(
        self: ScriptedBackend, precision: str, source: Path, directory: Path, calibration: Calibration | None
    ) -> list[str]:
        build(self, precision, source, directory, calibration)
        if calibration and calibration.alphas[1] == 0.5:
            raise QuantizationError("int8-ptq broke the decoder")
        if calibration and calibration.alphas[1] == 0.1:
            raise BuildError("the disk is on fire")
        return ["decoder layers.1.fc2 is left in float32"] if calibration else []

    monkeypatch.setattr(ScriptedBackend, "build", breaks)
    options = {**sweep_options, "whisperq_calibration": "embedded"}
    broken, sound = sweeping.sweep(options, [2], [(0.5, 0.5), ALPHAS])
    assert (broken.broken, broken.lost, broken.notes) == ("int8-ptq broke the decoder", None, ())
    assert (sound.broken, sound.lost, sound.notes) == ("", 0.0, ("decoder layers.1.fc2 is left in float32",))
    with pytest.raises(BuildError, match="the disk is on fire"):
        next(sweeping.sweep(options, [2], [(0.5, 0.1)]))


def test_speakers_that_are_calibrated_on_and_evaluated_are_told(
    tmp_path: Path, make_corpus: Callable[..., Path], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    speakers = ["ann"] * 6 + ["ben"] * 6
    make_corpus(tmp_path / "corpus", [f"text {number}" for number in range(12)], {"cluster": speakers})
    session = start_run(calibration_samples="4").session
    assert {item.cluster for item in session.corpus.utterances} == {"ann", "ben"}
    assert "and not evaluated, of 2 clusters that are evaluated on too: " in calibration_lines(session)[0]


def test_fewer_clips_than_asked_for_are_never_taken_without_a_word(
    tmp_path: Path, make_corpus: Callable[..., Path], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "calibrated", frozenset({"int8"}))
    folder = others(make_corpus, tmp_path / "calibration")
    run = start_run(calibration=str(folder))
    assert run.session.model(run.config.candidates[0]).artifact.calibration.startswith(
        f"calibrated on 4 clips of {folder} ("
    )
    (line,) = calibration_lines(run.session)
    says = "--whisperq-calibration-samples asks for 32, and it has no more"
    assert line == f"calibrated on 4 utterances of {folder}: {says}"
    run.session.texts(run.config.candidates[0])
    judged = run.judge("parity", run.config.candidates[0]).judgement
    document = Collector(run, [Gated(test="t", outcome="passed", judgement=judged)], []).document()
    assert document["models"]["scripted:int8"]["calibration"].endswith(f"; {says}")
    assert calibration_lines(start_run(calibration=str(folder), calibration_samples="4").session) == []


def others(make_corpus: Callable[..., Path], folder: Path) -> Path:
    """Make four recordings that are not among the five of the run's corpus."""
    make_corpus(folder, [f"text {number}" for number in range(9)])
    for number in range(5):
        (folder / f"clip{number:04}.wav").unlink()
    header, *rows = (folder / "metadata.csv").read_text().splitlines()
    (folder / "metadata.csv").write_text("\n".join([header, *rows[5:]]) + "\n")
    return folder
