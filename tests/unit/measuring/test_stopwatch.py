"""Speed gates on scripted models whose stages take the time they are told: what is timed, how often, what it says."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.backends import Clip, Hypothesis, scripted
from pytest_whisperq.backends.scripted import ScriptedTranscriber
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.speedup import implausible, speed_check, stopwatch_of
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring import stopwatch
from pytest_whisperq.measuring.timing import Round, Spent, Timing, measure
from pytest_whisperq.system.errors import ConfigError, DecodeError

StartRun = Callable[..., GateRunner]


SAID = Hypothesis(text="one two three four", tokens=(0, 1, 2, 3), language="en")

pytestmark = pytest.mark.usefixtures("virtual_time")


@pytest.fixture
def timed(tmp_path: Path, make_corpus: Any, make_script: Any) -> Callable[..., None]:
    """Write twelve clips of four words; int8 takes as many times less than float32 as it is told."""

    def write(encoder: float = 1.0, decoder: float = 1.0, texts: list[str] | None = None) -> None:
        corpus = make_corpus(tmp_path / "corpus", ["one two three four"] * 12, {"language": ["en"] * 12})
        make_script(tmp_path / "model", corpus, {"float32": None, "int8": texts, "int4-sym": None})
        script = json.loads((tmp_path / "model/scripted.json").read_text())
        script["float32"]["seconds"] = {"encoder": 0.004, "token": 0.001}
        script["int8"]["seconds"] = {"encoder": 0.004 / encoder, "token": 0.001 / decoder}
        (tmp_path / "model/scripted.json").write_text(json.dumps(script))

    return write


def speedup(run: GateRunner, **limits: Any) -> Outcome:
    return run.judge("speedup", run.config.candidates[0], **limits)


@pytest.mark.parametrize(("stage", "ratio"), [("encoder", 4.0), ("decoder", 2.0), ("pipeline", (4 + 4) / (1 + 2))])
def test_each_stage_has_its_own_ratio(
    timed: Callable[..., None], start_run: StartRun, stage: str, ratio: float
) -> None:
    timed(encoder=4.0, decoder=2.0)
    outcome = speedup(start_run(timing_budget="3"), stage=stage, min_ratio=1.2)
    (check,) = outcome.judgement.checks
    assert check.verdict is Verdict.PASS
    assert check.value == pytest.approx(ratio, rel=0.01)
    assert (check.name, check.unit, check.limit) == (f"{stage} speedup", "times", 1.2)
    shown = [figure.name for figure in outcome.judgement.figures]
    assert shown[0] == f"{stage} control, 99.5%"
    assert {f"{other} speedup" for other in ("encoder", "decoder", "pipeline") if other != stage} < set(shown)
    assert {
        "encoder, ms a window",
        "decoder, ms a token",
        "RTFx",
        "latency p50, ms",
        "load, s",
    } < set(shown)


def test_a_slower_candidate_fails(timed: Callable[..., None], start_run: StartRun) -> None:
    timed(encoder=0.5)
    (check,) = speedup(start_run(timing_budget="3"), stage="encoder").judgement.checks
    assert check.verdict is Verdict.FAIL
    assert check.limit == 1.0
    assert check.upper is not None
    assert check.upper < 0.8


def test_the_verdict_is_clear_after_ten_rounds_and_no_more_are_run(
    timed: Callable[..., None], start_run: StartRun
) -> None:
    timed(encoder=4.0)
    judgement = speedup(start_run(timing_budget="60"), stage="encoder", min_ratio=1.5).judgement
    assert judgement.notes[0].startswith("encoder over scripted:float32: 10 rounds")


def test_a_spent_budget_is_inconclusive_and_says_what_to_type(timed: Callable[..., None], start_run: StartRun) -> None:
    timed()
    (check,) = speedup(start_run(timing_budget="0.01"), stage="encoder").judgement.checks
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.reason.startswith("1 undisturbed rounds, 5 are needed")
    assert "--whisperq-timing-budget (0.01 s)" in check.reason


def test_gates_share_what_they_time_and_load_each_model_once(
    timed: Callable[..., None], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(encoder=4.0, decoder=4.0)
    made: list[str] = []
    start = ScriptedTranscriber.__init__

    def counted(self: ScriptedTranscriber, texts: Any, compute_type: str) -> None:
        made.append(compute_type)
        start(self, texts, compute_type)

    monkeypatch.setattr(ScriptedTranscriber, "__init__", counted)
    run = start_run(timing_budget="2")
    first = speedup(run, stage="encoder").judgement
    again = speedup(run, stage="encoder").judgement
    assert again == first
    assert made == ["float32", "float32", "int8"]  # the first one twice: the second load is timed
    other = speedup(run, stage="decoder").judgement
    assert next(f for f in first.figures if f.name == "load, s") in other.figures


def test_a_second_gate_looks_as_if_it_were_the_first(timed: Callable[..., None], start_run: StartRun) -> None:
    timed(encoder=1.5)
    run = start_run(timing_budget="30")
    pair = run.session.baseline_spec, run.session.spec(run.config.candidates[0])
    assert len(run.session.once(stopwatch_of).time(*pair, "encoder", is_clear=lambda timing: False).rounds) > 100
    assert (
        speedup(run, stage="encoder", min_ratio=1.2)
        .judgement.notes[0]
        .startswith("encoder over scripted:float32: 10 rounds")
    )


def test_a_spent_budget_leaves_a_second_gate_all_rounds(timed: Callable[..., None], start_run: StartRun) -> None:
    timed(encoder=1.5)
    run = start_run(timing_budget="30")
    pair = run.session.baseline_spec, run.session.spec(run.config.candidates[0])
    count = len(run.session.once(stopwatch_of).time(*pair, "encoder", is_clear=lambda timing: False).rounds)
    again = run.session.once(stopwatch_of).time(*pair, "encoder", is_clear=lambda timing: len(timing.rounds) > 100)
    assert len(again.rounds) > 100
    assert len(run.session.once(stopwatch_of).time(*pair, "encoder").rounds) == count  # as a report sees it


def test_what_is_only_shown_may_fail_without_harm(
    tmp_path: Path, timed: Callable[..., None], start_run: StartRun
) -> None:
    timed(encoder=4.0)
    script = json.loads((tmp_path / "model/scripted.json").read_text())
    del script["int4-sym"]
    (tmp_path / "model/scripted.json").write_text(json.dumps(script))
    judgement = speedup(start_run(timing_budget="2", baseline="scripted:int4-sym"), stage="encoder").judgement
    assert judgement.verdict is Verdict.PASS
    assert judgement.notes[-1].startswith("not timed against scripted:int4-sym: ")


def test_the_baseline_s_fallback_is_shown(
    timed: Callable[..., None], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(encoder=4.0)
    start = ScriptedTranscriber.__init__

    def falling_back(self: ScriptedTranscriber, texts: Any, compute_type: str) -> None:
        start(self, texts, "bfloat16" if compute_type == "float32" else compute_type)

    monkeypatch.setattr(ScriptedTranscriber, "__init__", falling_back)
    judgement = speedup(start_run(timing_budget="2", allow_fallback="true"), stage="encoder").judgement
    assert judgement.baseline == "scripted:float32 → bfloat16"
    assert not judgement.fell_back


def test_the_run_s_own_baseline_keeps_its_checkpoint(
    tmp_path: Path, timed: Callable[..., None], start_run: StartRun, make_script: Any
) -> None:
    timed()
    old = make_script(tmp_path / "old", tmp_path / "corpus", {"float32": None})
    run = start_run(timing_budget="1", baseline=f"scripted:float32@{old}")
    judgement = speedup(run, stage="encoder", baseline="scripted:float32").judgement
    assert judgement.baseline == f"scripted:float32@{old}"


def test_a_round_that_broke_off_is_begun_anew(
    timed: Callable[..., None], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(encoder=4.0)
    run = start_run(timing_budget="2")
    calls = iter([*[0.001] * 40, None])
    encode = ScriptedTranscriber.encode

    def breaking(self: ScriptedTranscriber, features: Clip) -> Clip:
        if next(calls, 0.001) is None:
            raise RuntimeError("out of memory")
        return encode(self, features)

    monkeypatch.setattr(ScriptedTranscriber, "encode", breaking)
    with pytest.raises(DecodeError, match="out of memory"):
        speedup(run, stage="encoder", min_ratio=4.0)
    assert speedup(run, stage="encoder").judgement.verdict is Verdict.PASS


def test_the_decoder_replays_the_baseline_s_tokens(
    timed: Callable[..., None], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(texts=["one"] * 12)
    lengths: set[tuple[str, int]] = set()
    replay = ScriptedTranscriber.replay

    def seen(self: ScriptedTranscriber, heard: Any, clip: Clip, tokens: Any) -> None:
        lengths.add((self.compute_type, len(tokens)))
        replay(self, heard, clip, tokens)

    run = start_run(timing_budget="1")
    watch = run.session.once(stopwatch_of)
    candidate, baseline = run.session.spec(run.config.candidates[0]), run.session.baseline_spec
    said = watch.replay_clips(baseline)
    monkeypatch.setattr(ScriptedTranscriber, "replay", seen)
    for spec in (baseline, candidate):
        watch.work(spec, said, "decoder")(0)
    assert lengths == {("float32", 4), ("int8", 4)}
    note = speedup(run, stage="pipeline").judgement.notes[2]
    assert note == "tokens said about the 4 clips: 16 → 4"


def test_a_baseline_that_says_nothing_cannot_be_replayed(
    tmp_path: Path, start_run: StartRun, make_corpus: Any, make_script: Any
) -> None:
    corpus = make_corpus(tmp_path / "corpus", ["one"] * 6)
    make_script(tmp_path / "model", corpus, {"float32": [""] * 6, "int8": None})
    with pytest.raises(DecodeError, match="scripted:float32: says nothing about the clips it is timed on"):
        speedup(start_run())


def test_another_baseline_may_be_named_and_the_usual_one_is_shown_too(
    timed: Callable[..., None], start_run: StartRun
) -> None:
    timed(encoder=4.0)
    judgement = speedup(start_run(timing_budget="1"), stage="encoder", baseline="scripted:int4-sym").judgement
    assert judgement.baseline == "scripted:int4-sym"
    assert "encoder speedup over scripted:float32" in [figure.name for figure in judgement.figures]


@pytest.mark.parametrize("baseline", ["scripted:int8", "scripted", "scripted:int3", "nothing:float32"])
def test_a_baseline_that_cannot_be_meant_is_an_error(start_run: StartRun, baseline: str) -> None:
    with pytest.raises(ConfigError, match="whisperq_speedup"):
        speedup(start_run(), baseline=baseline)


def test_a_backend_without_stages_says_what_it_lacks(start_run: StartRun, monkeypatch: pytest.MonkeyPatch) -> None:
    # A class of its own: what a class can do is asked once, and the answer stays with it.
    abilities = {"encode": None, "transcribe": lambda self, clips: [Hypothesis(text="x")] * len(clips)}
    monkeypatch.setattr(scripted, "ScriptedTranscriber", type("Unstaged", (ScriptedTranscriber,), abilities))
    with pytest.raises(ConfigError, match="prepare, encode and replay"):
        speedup(start_run())


def test_a_model_that_breaks_while_it_is_timed_is_named(
    timed: Callable[..., None], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed()
    monkeypatch.setattr(ScriptedTranscriber, "encode", lambda self, features: 1 / 0)
    with pytest.raises(DecodeError, match=r"scripted:float32 failed while it was timed: division by zero"):
        speedup(start_run(), stage="encoder")


def took_in(clip: int, seconds: Spent, disturbed: str = "") -> Round:
    return Round(clip=clip, seconds=seconds, cpu=seconds, disturbed=disturbed)


def of(ratio: float) -> Timing:
    took = [(1 + 0.001 * (n % 2)) / ratio for n in range(10)]
    rounds = [took_in(0, Spent(1.0, 1.0, one, one)) for one in took]
    return measure(rounds, confidence=0.95)


def test_a_baseline_that_beats_itself_lets_nothing_pass_or_fail() -> None:
    rounds = [took_in(0, Spent(1.2 + 0.001 * (n % 3), 1.0, 0.5, 0.5)) for n in range(10)]
    check = speed_check("encoder", measure(rounds, confidence=0.95), 1.5, 20.0)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.reason.startswith("the baseline against itself is 1.20 … 1.20 times as fast: timing cannot be trusted")
    assert check.lower is not None
    assert check.lower > 1.5  # it would have passed


def test_a_clip_without_undisturbed_rounds_lets_nothing_pass() -> None:
    why = ("", "", "", "the quota")
    rounds = [took_in(n % 4, Spent(1.0, 1.0, 0.5, 0.5), why[n % 4]) for n in range(40)]
    check = speed_check("pipeline", measure(rounds, confidence=0.95), 1.5, 20.0)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert check.reason.startswith("0 undisturbed rounds of one of 4 clips, 4 are needed, 10 were disturbed (the quota")


def test_the_first_look_at_four_clips_has_all_that_a_first_look_may_spend(
    timed: Callable[..., None], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed(encoder=4.0, decoder=4.0)
    confidences: list[float] = []

    def watched(done: Sequence[Round], *, confidence: float, of: Callable[[Round], Spent]) -> Timing:
        confidences.append(confidence)
        return measure(done, confidence=confidence, of=of)

    monkeypatch.setattr(stopwatch, "measure", watched)
    run = start_run(timing_budget="60")
    pair = run.session.baseline_spec, run.session.spec(run.config.candidates[0])
    found = run.session.once(stopwatch_of).time(
        *pair, "pipeline", is_clear=lambda timing: timing.speedup.lower is not None
    )
    assert len(found.rounds) == 20
    assert confidences == pytest.approx([0.975])  # half of the error at 95 %
    assert len(run.session.once(stopwatch_of).time(*pair, "decoder").rounds) == 20  # for a report


def test_a_pipeline_whose_rounds_take_seconds_is_judged_on_fewer_clips(
    timed: Callable[..., None], start_run: StartRun, tmp_path: Path
) -> None:
    """A round of OpenAI's tiny.en takes three seconds: four clips with four rounds each are more than the default."""
    timed(encoder=2.0, decoder=2.0)
    script = json.loads((tmp_path / "model/scripted.json").read_text())
    for precision, seconds in (("float32", 0.8), ("int8", 0.4)):
        script[precision]["seconds"] = {"encoder": seconds, "token": seconds / 10}
    (tmp_path / "model/scripted.json").write_text(json.dumps(script))
    judgement = speedup(start_run(), stage="pipeline", min_ratio=1.2).judgement
    (check,) = judgement.checks
    assert check.verdict is Verdict.PASS
    assert check.value == pytest.approx(2.0, rel=0.01)
    # Four rounds of each of two clips, which take more than the 20 seconds of the default.
    assert judgement.notes[0].endswith(": 8 rounds")
    assert any(note.startswith("pipeline timed on 2 of these clips: rounds take too long") for note in judgement.notes)


@pytest.mark.parametrize(
    ("encoder", "decoder", "pipeline", "plausible"),
    [
        (1.6, 1.1, 1.3, True),
        (1.6, 1.1, 1.05, True),
        (1.6, 1.1, 1.8, False),
        (1.2, 1.3, 0.9, False),
        (0.7, 0.9, 0.8, True),
    ],
)
def test_a_pipeline_gains_what_its_stages_gain(
    encoder: float, decoder: float, pipeline: float, plausible: bool
) -> None:
    said = implausible({"encoder": of(encoder), "decoder": of(decoder), "pipeline": of(pipeline)})
    assert (said == "") is plausible
    assert plausible or "outside of what its stages allow" in said


def test_a_model_is_timed_with_the_threads_that_it_wants(
    timed: Callable[..., None], start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch has one number of threads for all models of a process: it has to be set again before each run."""
    settled: list[Any] = []
    right: list[bool] = []
    encode = ScriptedTranscriber.encode

    def watched(transcriber: ScriptedTranscriber, features: Clip) -> Clip:
        right.append(settled[-1] is transcriber)
        return encode(transcriber, features)

    monkeypatch.setattr(Decoder, "settle", lambda decoder, transcriber: settled.append(transcriber))
    monkeypatch.setattr(ScriptedTranscriber, "encode", watched)
    monkeypatch.setattr(ScriptedTranscriber, "transcribe", lambda transcriber, clips: [SAID] * len(clips))  # untimed
    timed(encoder=4.0)
    speedup(start_run(timing_budget="3"), stage="encoder")
    assert len(right) > 20
    assert all(right)
    assert len({id(transcriber) for transcriber in settled}) >= 2
