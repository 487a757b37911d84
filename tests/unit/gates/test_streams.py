"""The streaming gate of a run, on a model that hears what the sound itself says: where it is in the recording."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ramp_model
from ramp_model import NAMES, SPOKEN, WORDS, Aligner, inside, install, write_recording

from pytest_whisperq.backends import Clip, TimedWord
from pytest_whisperq.commands.stream import show
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.streams import Streams
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Figure, Verdict
from pytest_whisperq.streaming import StreamProfile
from pytest_whisperq.system.errors import CorpusError, StreamError


@pytest.fixture
def judged(start_run: Callable[..., GateRunner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that judges a model which hears these words, streamed and offline, once quantized."""

    def judge(*heard: Any, limits: Any = None, options: Any = None, rows: str = "", **how: Any) -> Outcome:
        install(monkeypatch, *heard, **how)
        listing = write_recording(tmp_path)
        if rows:
            listing.write_text(rows)
        run = start_run(**{"long_form": str(listing), **(options or {})})
        return run.judge("streaming", run.config.candidates[0], **(limits or {}))

    return judge


def figure(outcome: Outcome, name: str) -> Figure:
    return next(one for one in outcome.judgement.figures if one.name == name)


def test_a_model_that_hears_everything_loses_nothing(judged: Callable[..., Outcome]) -> None:
    judgement = judged().judgement
    assert judgement.detail("baseline_wer") == 0.0
    assert judgement.detail("candidate_wer") == 0.0
    assert [check.value for check in judgement.checks] == [0.0, 0.0, 0.0]
    assert judgement.words == WORDS
    assert judgement.notes[0].endswith("err within 0 ms of their ends and times are 0 ms off; word times are its own")


def test_what_is_lost_only_when_streaming_is_the_gap_and_quantizations(judged: Callable[..., Outcome]) -> None:
    outcome = judged(streamed=[name for name in NAMES if name != "delta"])
    assert outcome.judgement.detail("baseline_wer") == 0.0
    assert outcome.judgement.detail("candidate_wer") == pytest.approx(0.1)
    assert outcome.judgement.checks[0].value == pytest.approx(10.0)
    assert figure(outcome, "gap by quantization, points").value == pytest.approx(10.0)
    assert figure(outcome, "streamed deletions, %").value == pytest.approx(10.0)
    assert figure(outcome, "offline deletions, %").value == 0.0
    assert figure(outcome, "commit lag, % of words").value == pytest.approx(90.0)
    assert figure(outcome, "commit lag, % of words").baseline == pytest.approx(100.0)
    assert any(label == "offline" and "delta" in text for label, text in outcome.worst[0].rows)


def test_what_is_lost_offline_is_no_gap_of_streaming(judged: Callable[..., Outcome]) -> None:
    outcome = judged(offline=[name for name in NAMES if name != "delta"])
    assert outcome.judgement.detail("baseline_wer") == pytest.approx(0.1)
    assert outcome.judgement.checks[0].value == pytest.approx(-10.0)
    deletions = figure(outcome, "offline deletions, %")
    assert (deletions.value, deletions.baseline) == (pytest.approx(10.0), 0.0)


def test_lags_are_those_of_two_windows_that_agree(judged: Callable[..., Outcome]) -> None:
    outcome = judged()
    median = figure(outcome, "commit lag without computing, median s").value
    assert 1.0 < median < 2.5  # the second window that holds a word, and its edge
    assert figure(outcome, "commit lag, median s").value > median
    lagging = figure(outcome, "LAAL, s").value
    assert lagging == pytest.approx(figure(outcome, "commit lag, mean s").value + SPOKEN, abs=0.5)
    assert figure(outcome, "first word, s after it was said").value > 0.5
    assert -0.5 < figure(outcome, "last word, s after it was said").value < 0.5
    assert figure(outcome, "times each second is decoded").value == pytest.approx(5.6, abs=0.3)
    assert figure(outcome, "normalized erasure").value == 0.0


def test_a_model_that_tells_no_times_is_aligned_off_the_clock(
    judged: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    aligned: list[Any] = []
    # Only aligning takes time, so that whatever computing there is would be the aligner's.
    monkeypatch.setattr("pytest_whisperq.gates.streams.time.perf_counter", lambda: 0.02 * len(aligned))

    def align(aligner: Aligner, clip: Clip, said: Any) -> tuple[TimedWord, ...]:
        aligned.append(said)
        return inside(clip, said.split() if isinstance(said, str) else NAMES)

    monkeypatch.setattr(Aligner, "align", align)
    outcome = judged(times=False)
    judgement = outcome.judgement
    assert figure(outcome, "RTF of streaming").value == 0.0
    assert judgement.notes[0].endswith("word times are ctranslate2:float32's, which is left out of computing")
    assert judgement.checks[0].verdict is not Verdict.FAIL
    assert () not in aligned  # it tells no tokens, so that its text is aligned
    assert judgement.checks[0].value == 0.0


def test_limits_come_from_options_and_from_the_marker(judged: Callable[..., Outcome]) -> None:
    options = {"max_wer_gap": "2.5", "max_commit_lag": "7"}
    gap, late, retractions = judged(options=options).judgement.checks
    assert (gap.limit, retractions.limit) == (2.5, 0.0)
    assert "late if committed 7 s or more" in late.reason
    limits = {"max_wer_gap": 1.5, "max_commit_lag": 6.5, "max_retractions": 3, "max_rtf": 0.9}
    gap, late, retractions, rtf = judged(options=options, limits=limits).judgement.checks
    assert (gap.limit, retractions.limit, rtf.limit) == (1.5, 4.0, 0.9)  # 3 are tolerated: fewer than 4
    assert "late if committed 6.5 s or more" in late.reason


def test_a_word_is_late_by_default_when_the_merge_alone_cannot_have_held_it_back(
    judged: Callable[..., Outcome], tmp_path: Path
) -> None:
    """The merge commits what windows disagree about after a window and the hop in which that falls."""
    assert "late if committed 7 s or more" in judged().judgement.checks[1].reason
    path = tmp_path / "profile.json"
    path.write_text('{"window": 8000, "hop": 500, "edge": 250, "jitter": 40}')
    late = judged(options={"merge_profile": str(path)}).judgement.checks[1]
    assert "late if committed 8.5 s or more" in late.reason


def test_what_the_merge_counts_on_is_measured_of_float32(judged: Callable[..., Outcome]) -> None:
    """A candidate that errs at its edges is not forgiven for them."""
    outcome = judged(deaf=1.0)
    assert "they err within 0 ms of their ends" in outcome.judgement.notes[0]


def test_lag_counts_computing_and_its_twin_does_not(
    judged: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.25  # so much between begin and end of each decoding
        return now[0]

    monkeypatch.setattr("pytest_whisperq.gates.streams.time.perf_counter", clock)
    outcome = judged(limits={"max_commit_lag": 1.7})
    ideal, aware = (figure(outcome, f"commit lag{how}, mean s").value for how in (" without computing", ""))
    assert aware == pytest.approx(ideal + 0.25, abs=0.01)
    late = outcome.judgement.checks[1]
    assert late.value is not None
    assert late.value > 0.2  # it is the lag with computing that is gated
    assert figure(outcome, "RTF of streaming").value == pytest.approx(0.25, abs=0.01)


def test_windows_longer_than_whisper_hears_are_refused(judged: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text('{"window": 45000}')
    with pytest.raises(StreamError, match=r"--whisperq-merge-profile: .*45000 ms; Whisper hears 30 s at most"):
        judged(options={"merge_profile": str(path)})


def test_windows_too_short_for_what_was_measured_say_what_to_do(judged: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text('{"window": 3000, "hop": 1000, "edge": 0, "jitter": 0, "longest_word": 400}')
    assert judged(options={"merge_profile": str(path)}).judgement.checks[0].value == 0.0


def test_a_profile_that_does_not_fit_its_windows_is_saved_with_some_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged: Callable[..., Outcome]
) -> None:
    """The gate stops there and names this way out."""
    measured = StreamProfile(edge=2000, longest_word=1200)
    monkeypatch.setattr("pytest_whisperq.gates.streams.measure_profile", lambda *_: measured)
    with pytest.raises(StreamError, match=r"scripted:float32: windows of 6000 ms .* stream --save-profile FILE writes"):
        judged()
    path, told = tmp_path / "profile.json", list[str]()
    paths = {"long_form": "call.jsonl", "model": "model", "corpus": "corpus", "cache_dir": "cache"}
    options = {name: str(tmp_path / file) for name, file in paths.items()}
    options |= {"candidate": "scripted:int8", "baseline": "scripted:float32"}
    with pytest.raises(StreamError, match="windows of 6000 ms"):
        show({f"whisperq_{name}": value for name, value in options.items()}, told.append, profile_to=path)
    assert any(f"use it with --whisperq-merge-profile {path}" in line for line in told)
    assert judged(options={"merge_profile": str(path)}).judgement.checks[0].value == 0.0


def test_words_of_a_language_without_spaces_are_its_characters(
    start_run: Callable[..., GateRunner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some runtimes tell a token of two characters as one word; references have one character each."""
    told = (TimedWord(start=0.2, end=0.6, text="我们"), TimedWord(start=0.7, end=0.8, text="OpenAI"))
    install(monkeypatch, transcribe_words=lambda *_: told)
    listing = write_recording(tmp_path)
    listing.write_text(listing.read_text().replace('"en"', '"zh"'))
    run = start_run(long_form=str(listing))
    chunk = run.session.once(Streams).decoded(run.session.spec(run.config.candidates[0]))[0].chunks[0]
    words = [(word.text, word.start, word.end) for word in chunk.words]
    assert words == [("我", 200, 400), ("们", 400, 600), ("OpenAI", 700, 800)]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('"text": "", "kind": "nonspeech"', "--whisperq-long-form: nobody speaks in .*call.jsonl"),
        ('"text": "[laughs]", "language": "en"', r"call.jsonl:1: nothing is left of the transcript '\[laughs\]' under"),
    ],
)
def test_recordings_with_nothing_to_hold_words_against_are_refused(
    judged: Callable[..., Outcome], row: str, told: str
) -> None:
    with pytest.raises(CorpusError, match=told):
        judged(rows=f'{{"audio": "call.wav", "offset": 0.0, "duration": 1.0, {row}}}')


def test_each_window_is_decoded_once_after_the_first_which_warms_up(
    judged: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, float, int]] = []
    plain = ramp_model.inside

    def inside(clip: Clip, names: Any) -> tuple[TimedWord, ...]:
        heard.append((type(names).__name__, ramp_model.position(clip), len(clip.samples)))
        return plain(clip, names)

    monkeypatch.setattr(ramp_model, "inside", inside)
    judged(tuple(NAMES), tuple(NAMES))  # int8 is told in tuples, float32 and the aligner in lists
    windows = Counter((begun, length) for told, begun, length in heard if told == "tuple")
    assert windows[0.0, 16_000] == 2
    assert {count for window, count in windows.items() if window != (0.0, 16_000)} == {1}


def test_silence_behind_the_last_word_is_no_latency(
    judged: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ramp_model, "WORDS", 42)  # which end eleven seconds before the recording does
    assert 0 < figure(judged(), "last word, s after it was said").value < 3.5
