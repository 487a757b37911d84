"""The product without pytest: options in, judgements out, every model built and decoded once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.backends import in_all, registry
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.forecast import power_of
from pytest_whisperq.gates.registry import get_gate
from pytest_whisperq.gates.runner import ON_THIS_MACHINE, GateRunner, place_of, run_gates
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.power import learn, plan
from pytest_whisperq.measuring.scores import count_errors
from pytest_whisperq.reporting.build_document import Collector, Gated
from pytest_whisperq.system.errors import ConfigError, QuantizationError

StartRun = Callable[..., GateRunner]


@pytest.fixture
def wide(tmp_path: Path, make_corpus: Any, make_script: Any) -> Path:
    """120 clips in English, of which int4-sym gets every third wrong."""
    texts = [f"grey number {n}" for n in range(120)]
    corpus = make_corpus(tmp_path / "corpus", texts, {"language": ["en"] * 120})
    catastrophic = ["nonsense" if n % 3 == 0 else text for n, text in enumerate(texts)]
    spelt = [text.replace("grey", "Gray") for text in texts]
    make_script(tmp_path / "model", corpus, {"float32": None, "int8": spelt, "int4-sym": catastrophic})
    return corpus


def test_a_good_candidate_passes_and_a_catastrophic_one_fails_both_gates(
    wide: Path, start_run: StartRun, decoded: list[int]
) -> None:
    run = start_run(candidate="scripted:int8,scripted:int4-sym", max_drop="5", max_divergence="0.1", early_stop="false")
    report = run_gates(run.config)
    assert [(j.gate, j.candidate, j.verdict) for j in report.judgements] == [
        ("parity", "scripted:int8", Verdict.PASS),
        ("accuracy", "scripted:int8", Verdict.PASS),
        ("parity", "scripted:int4-sym", Verdict.FAIL),
        ("accuracy", "scripted:int4-sym", Verdict.FAIL),
    ]
    assert report.verdict is Verdict.FAIL
    assert sum(decoded) == 3 * 120


@pytest.mark.parametrize("early_stop", ["true", "false"])
def test_a_candidate_that_quantization_broke_is_told_before_anything_is_decoded_and_built_once(
    wide: Path, start_run: StartRun, decoded: list[int], monkeypatch: pytest.MonkeyPatch, early_stop: str
) -> None:
    built = []
    build = ScriptedBackend.build

    def breaks(self: ScriptedBackend, precision: str, source: Path, directory: Path, calibration: Any) -> Any:
        built.append(precision)
        if precision == "int8":
            raise QuantizationError("the SQNR of block layers.3 is 2.1 dB")
        return build(self, precision, source, directory, calibration)

    monkeypatch.setattr(ScriptedBackend, "build", breaks)
    run = start_run(early_stop=early_stop)
    for gate in ("parity", "accuracy", "catastrophe", "size", "timestamps", "longform"):
        with pytest.raises(QuantizationError, match=r"the SQNR of block layers\.3 is 2\.1 dB"):
            run.judge(gate, run.config.candidates[0])
    assert decoded == []
    assert built.count("int8") == 1


def test_scoring_again_under_another_normalizer_decodes_nothing(
    wide: Path, start_run: StartRun, decoded: list[int]
) -> None:
    english = start_run()
    assert english.judge("accuracy", english.config.candidates[0]).judgement.checks[0].value == 0.0
    count = sum(decoded)
    literal = start_run(normalizer="identity")
    judgement = literal.judge("accuracy", literal.config.candidates[0]).judgement
    assert judgement.checks[0].value == pytest.approx(100 / 3)  # one word in three is spelt otherwise
    assert judgement.verdict is Verdict.FAIL
    assert sum(decoded) == count == 240


def test_a_gate_s_own_limit_beats_the_configured_one_even_when_it_is_zero(wide: Path, start_run: StartRun) -> None:
    run = start_run(max_drop="5", normalizer="whisper-english")
    (candidate,) = run.config.candidates
    assert run.judge("accuracy", candidate).judgement.checks[0].limit == 5.0
    assert run.judge("accuracy", candidate, max_drop=0.0).judgement.checks[0].limit == 0.0
    assert [check.limit for check in run.judge("parity", candidate, max_divergence=0.0).judgement.checks] == [0.0]


def test_a_subset_gates_on_as_many_utterances(wide: Path, start_run: StartRun, decoded: list[int]) -> None:
    run = start_run(max_utterances="30")
    assert run.judge("accuracy", run.config.candidates[0]).judgement.utterances == 30
    assert sum(decoded) == 60


def test_an_older_checkpoint_may_be_the_baseline(
    tmp_path: Path, wide: Path, start_run: StartRun, make_script: Any
) -> None:
    old = make_script(tmp_path / "old", wide, {"float32": ["nothing"] * 120})
    run = start_run(baseline=f"scripted:float32@{old}")
    judgement = run.judge("accuracy", run.config.candidates[0]).judgement
    assert judgement.baseline == f"scripted:float32@{old}"
    assert judgement.checks[0].value == pytest.approx(-100.0)


def test_candidates_that_are_not_installed_are_left_out_and_a_run_of_none_is_no_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry.optional_imports, "missing", list)
    config = resolve({"whisperq_backend": "all", "whisperq_baseline": "scripted:float32"})
    # whisper.cpp cannot run the embedded model.
    assert {one.backend for one in config.candidates} == {*in_all()} - {"whispercpp"}
    assert any(line.startswith("whispercpp: whisper.cpp counts where special tokens are") for line in config.left_out)
    report = run_gates(config)
    assert report.judgements == ()
    assert report.verdict is Verdict.INCONCLUSIVE


def test_build_makes_any_pair_from_the_same_checkpoint(start_run: StartRun) -> None:
    run = start_run()
    assert run.session.build("scripted", "float32") == run.session.model(run.config.baseline).artifact
    assert run.session.build("scripted", "int8").spec.source == run.session.source


def test_an_english_only_model_is_gated_on_the_english_part(
    tmp_path: Path, make_corpus: Any, make_script: Any, start_run: StartRun, decoded: list[int]
) -> None:
    corpus = make_corpus(tmp_path / "corpus", ["red", "rouge", "green", "rojo"], {"language": ["en", "fr", "en", "es"]})
    model = make_script(tmp_path / "model", corpus, {"float32": None, "int8": None})
    (model / "generation_config.json").write_text('{"is_multilingual": false}')
    run = start_run(calibration="embedded")
    judgement = run.judge("accuracy", run.config.candidates[0]).judgement
    assert judgement.utterances == 2
    assert judgement.corpus.endswith("corpus, English only (2 of 4 utterances)")
    assert sum(decoded) == 4
    assert {item.language for item in run.session.recordings.calibration_set.utterances} == {"en"}
    assert {item.language for item in run.session.recordings.long_form.utterances} == {"en"}


def test_bounds_by_another_test_are_named_and_repeat(wide: Path, start_run: StartRun) -> None:
    """The scripted int4-sym gets 40 clips of 120 wrong: 100 points on a third of them."""
    typed = {"candidate": "scripted:int4-sym", "early_stop": "false", "max_drop": "5"}
    plain, flipped, again, cut = (
        run.judge("accuracy", run.config.candidates[0], per=per).judgement
        for run, per in (
            (start_run(**typed, bounds=bounds, seed=seed), per)
            for bounds, seed, per in (
                ("t", "0", None),
                ("sign-flip", "0", "slice"),
                ("sign-flip", "0", "slice"),
                ("mapsswe", "0", None),
            )
        )
    )
    assert flipped == again
    assert plain.checks[0].lower != flipped.checks[0].lower == pytest.approx(plain.checks[0].lower, rel=0.1)
    assert [judgement.notes[:1] for judgement in (plain, flipped, cut)] == [
        (),
        ("bounds by sign-flip",),
        ("bounds by mapsswe",),
    ]
    assert cut.checks[0].lower != plain.checks[0].lower


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"drop_type": "relative", "max_drop": 5.0}, "counts words in points, not drop_type='relative'"),
        ({"metric": "cer"}, "counts words in points, not drop_type='absolute' of metric='cer'"),
        ({"per": "slice"}, "is too coarse for per='slice'"),
    ],
)
def test_mapsswe_is_refused_where_it_cannot_be_meant(
    limits: dict[str, Any], problem: str, wide: Path, start_run: StartRun, decoded: list[int]
) -> None:
    run = start_run(bounds="mapsswe")
    with pytest.raises(ConfigError, match=f"--whisperq-bounds: mapsswe {problem}"):
        run.judge("accuracy", run.config.candidates[0], **limits)
    assert not decoded


def test_however_little_is_heard_the_normalizer_is_that_of_the_whole_corpus(
    tmp_path: Path, make_corpus: Any, start_run: StartRun
) -> None:
    make_corpus(tmp_path / "corpus", ["number"] * 39 + ["नमस्ते"], {"language": ["en"] * 39 + ["hi"]})
    few = start_run(max_utterances="5")
    assert few.session.corpus.languages == {"en"}
    assert few.session.normalizer.name == start_run().session.normalizer.name == "by-language"


def test_long_recordings_have_the_normalizer_of_their_own_languages(
    tmp_path: Path, wide: Path, start_run: StartRun
) -> None:
    sound = next(wide.glob("*.wav"))
    row = {"audio": sound.name, "text": "नमस्ते दुनिया", "language": "hi", "offset": 0.0, "duration": 0.05}
    (wide / "long.jsonl").write_text(json.dumps(row))
    run = start_run(long_form=str(wide / "long.jsonl"))
    assert (run.session.normalizer.name, run.session.recordings.long_normalizer.name) == (
        "whisper-english",
        "by-language",
    )
    assert run.session.recordings.long_normalizer("नमस्ते", "hi") == "नमस्ते"


def test_times_of_copies_of_a_recording_are_one_piece_of_evidence(
    tmp_path: Path, make_corpus: Any, start_run: StartRun
) -> None:
    corpus = make_corpus(tmp_path / "corpus", ["one", "two"])
    shutil.copy(corpus / "clip0000.wav", corpus / "copy.wav")
    with (corpus / "metadata.csv").open("a") as file:
        file.write("copy.wav,one\n")
    run = start_run()
    heard, _ = run.session.timed(run.session.baseline_spec)
    assert heard.clips == run.session.transcripts(run.session.baseline_spec).clips
    assert len(set(heard.clips)) == 2


def test_errors_are_counted_once_whoever_asks(wide: Path, start_run: StartRun) -> None:
    """The accuracy gate counts; its slices, the forecast, the catastrophe gate and the document only look it up."""
    run = start_run(candidate="scripted:int4-sym", max_drop="50", early_stop="true")
    (candidate,) = run.config.candidates
    count_errors.cache_clear()
    run.declare_accuracy(candidate)
    judged = run.judge("accuracy", candidate, per="slice").judgement
    counted = count_errors.cache_info().misses
    assert counted >= 2 * 120  # of both models, and under other normalizers
    power_of(run.session, candidate, "wer")
    run.judge("catastrophe", candidate)
    document = Collector(run, [Gated(test="t", outcome="passed", judgement=judged)], []).document()
    assert sum(row["errors"]["scripted:int4-sym"] for row in document["utterances"]) > 0
    own_length = len({item.reference for item in run.session.corpus.speech})  # of a text against itself
    assert count_errors.cache_info().misses <= counted + own_length


@pytest.mark.parametrize("heard", [60, 120])
def test_a_pilot_is_what_was_heard_each_utterance_with_its_length_and_cluster(
    tmp_path: Path, make_corpus: Any, make_script: Any, start_run: StartRun, heard: int
) -> None:
    texts = [" ".join(["word"] * (1 + n % 7)) + f" {n}" for n in range(120)]
    speakers = [f"speaker {n % 13}" for n in range(120)]
    corpus = make_corpus(tmp_path / "corpus", texts, {"language": ["en"] * 120, "cluster": speakers})
    worse = [f"oh {text}" if n % 3 == 0 else text for n, text in enumerate(texts)]
    make_script(tmp_path / "model", corpus, {"float32": None, "int8": worse})
    first = start_run(candidate="scripted:int8", max_utterances=str(heard), early_stop="false")
    first.judge("accuracy", first.config.candidates[0])
    known = [item.reference for item in first.session.corpus.utterances]
    places = [place for place, text in enumerate(texts) if text in known]
    run = start_run(candidate="scripted:int8")
    clusters, lengths = [speakers[place] for place in places], [2 + place % 7 for place in places]
    plain = plan([2 + n % 7 for n in range(120)], speakers, confidence=run.config.confidence)
    expected = learn(plain, [int(place % 3 == 0) for place in places], lengths, clusters)
    assert len(places) == expected.pilot == heard
    assert power_of(run.session, run.config.candidates[0], "wer") == expected


@pytest.mark.parametrize("way", ["fail", "extend"])
def test_a_judgement_says_what_of_the_cache_was_damaged(
    wide: Path, tmp_path: Path, start_run: StartRun, way: str
) -> None:
    """Also where the look that found it is not the one that is judged."""
    options = {"on_inconclusive": way, "max_utterances": "60", "max_drop": "0.001"}

    def judged(gate: str) -> tuple[str, ...]:
        run = start_run(**options)
        return run.judge(gate, run.config.candidates[0]).judgement.notes

    judged("accuracy")
    for path in (tmp_path / "cache" / "transcripts").iterdir():
        path.write_bytes(path.read_bytes().replace(b"number 1", b"number 2"))
    damaged = "61 lines damaged; decoded again" if way == "fail" else "121 lines damaged; decoded again"
    (one, other) = (note for note in judged("accuracy") if "in the cache" in note)
    assert one.startswith("transcripts of scripted:float32 in the cache: ")
    assert one.endswith(damaged)
    assert other.startswith("transcripts of scripted:int8 in the cache: ")
    assert not any("in the cache" in note for note in judged("accuracy"))


@pytest.mark.parametrize(
    ("gates", "engine", "is_here"),
    [
        (["accuracy"], "ray", False),
        (["translation"], "ray", False),
        (["accuracy", "translation"], "ray", False),
        (["speedup"], "ray", True),
        (["accuracy", "speedup"], "ray", True),
        (["speedup"], "process", False),
    ],
)
def test_what_is_not_measured_on_the_cluster_is_told(gates: list[str], engine: str, is_here: bool) -> None:
    assert place_of([get_gate(name) for name in gates], engine) == ([ON_THIS_MACHINE] if is_here else [])
