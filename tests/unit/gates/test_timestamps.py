"""The gate on times: what a good candidate does to them passes, and planted damage is found."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_whisperq.backends import Segment, TimedText
from pytest_whisperq.gates.timestamps import judge_timestamps
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts

CLIPS = 200
Pairs = Callable[..., PairedTexts]
Change = Callable[[int, TimedText], TimedText]


def clip(number: int) -> TimedText:
    """Return three segments of four words, one every half a second, as a model tells them to 20 ms."""
    spans = [(0.0, 2.0), (2.0, 4.02), (4.24, 6.0)]
    return TimedText(
        segments=tuple(
            Segment(start=start, end=end, text=" ".join(f"w{number}x{place}x{word}" for word in range(4)))
            for place, (start, end) in enumerate(spans)
        )
    )


def judged(make_pairs: Pairs, change: Change, several: int = CLIPS) -> Outcome:
    """Judge what ``change`` makes of clips, of which ``several`` have more than one segment."""
    base = [clip(number) for number in range(CLIPS)]
    base = [text if number < several else replace(text, segments=text.segments[:1]) for number, text in enumerate(base)]
    candidate = [change(number, text) for number, text in enumerate(base)]
    said, heard = ([" ".join(one.text for one in text.segments) for text in side] for side in (base, candidate))
    texts = make_pairs(said, None, heard)
    return judge_timestamps(texts, (base, candidate), max_shift=0.2, confidence=0.95, seed=0)


def shifted(text: TimedText, by: float) -> TimedText:
    return replace(text, segments=tuple(replace(one, start=one.start + by, end=one.end + by) for one in text.segments))


def joined(text: TimedText) -> TimedText:
    first, second, *rest = text.segments
    return replace(text, segments=(replace(first, end=second.end, text=f"{first.text} {second.text}"), *rest))


def good(number: int, text: TimedText) -> TimedText:
    """Join two segments in every fourth clip, and end the last one a little later in every third."""
    changed = joined(text) if number % 4 == 0 else text
    *others, last = changed.segments
    late = random.Random(number).choice((0.0, 0.04, 0.12)) if number % 3 == 0 else 0.0
    return replace(changed, segments=(*others, replace(last, end=last.end + late)))


def test_a_good_candidate_that_parts_texts_elsewhere_passes(make_pairs: Pairs) -> None:
    judgement = judged(make_pairs, good).judgement
    assert judgement.verdict is Verdict.PASS
    figures = {figure.name: figure.value for figure in judgement.figures}
    assert figures == {
        "lost segments, %": 0.0,
        "joined segments, %": pytest.approx(12.5),
        "split segments, %": 0.0,
        "times not compared, %": 0.0,
    }


@pytest.mark.parametrize("by", [0.5, -0.5, 3.0])
def test_times_that_move_in_one_clip_of_ten_fail(make_pairs: Pairs, by: float) -> None:
    outcome = judged(make_pairs, lambda n, text: shifted(text, by) if n % 10 == 3 else good(n, text))
    check, _ = outcome.judgement.checks
    assert check.verdict is Verdict.FAIL
    assert check.value == pytest.approx(0.1, abs=0.01)
    assert [evidence.utterance.id for evidence in outcome.worst] == [f"clip{n:04}.wav" for n in (3, 13, 23, 33, 43)]


def test_a_join_does_not_hide_times_that_move(make_pairs: Pairs) -> None:
    outcome = judged(make_pairs, lambda n, text: shifted(joined(text), 0.5) if n % 5 == 3 else good(n, text))
    assert outcome.judgement.verdict is Verdict.FAIL


def test_segments_that_are_lost_are_counted_as_moved_and_named(make_pairs: Pairs) -> None:
    """The second of three segments in one clip of four: a twelfth of all."""
    outcome = judged(
        make_pairs, lambda n, text: replace(text, segments=text.segments[::2]) if n % 4 == 0 else good(n + 1, text)
    )
    check, _ = outcome.judgement.checks
    assert check.verdict is Verdict.FAIL
    figures = {figure.name: figure.value for figure in outcome.judgement.figures}
    assert figures["lost segments, %"] == pytest.approx(100 / 12)


def test_a_model_without_timestamps_fails(make_pairs: Pairs) -> None:
    """All it says is said to last for thirty seconds."""
    whole = lambda n, text: TimedText(  # noqa: E731
        segments=(Segment(start=0.0, end=30.0, text=" ".join(one.text for one in text.segments)),)
    )
    outcome = judged(make_pairs, whole)
    assert outcome.judgement.verdict is Verdict.FAIL


def test_a_verdict_says_what_times_are_compared_with(make_pairs: Pairs) -> None:
    (note,) = judged(make_pairs, good).judgement.notes
    assert note == "times are compared with those of scripted:float32, where the words are the same"


def test_texts_that_are_hardly_parted_where_they_were_fail(make_pairs: Pairs) -> None:
    """All in one segment, whose times are right."""
    outcome = judged(make_pairs, lambda _, text: joined(joined(text)))
    moved, parted = outcome.judgement.checks
    assert (moved.verdict, moved.value) == (Verdict.PASS, 0.0)
    assert (parted.verdict, parted.value) == (Verdict.FAIL, 1.0)


def test_where_hardly_any_text_has_several_segments_nothing_is_demanded_of_boundaries(make_pairs: Pairs) -> None:
    outcome = judged(make_pairs, lambda n, text: joined(text) if n < 4 else text, several=10)
    assert [check.name for check in outcome.judgement.checks] == ["moved segments"]
    assert outcome.judgement.verdict is Verdict.PASS


def test_a_good_candidate_passes_with_any_number_of_boundaries(make_pairs: Pairs) -> None:
    for several in range(0, CLIPS, 10):
        outcome = judged(make_pairs, lambda n, text: good(n, text) if len(text.segments) > 1 else text, several=several)
        assert outcome.judgement.verdict is Verdict.PASS, several
