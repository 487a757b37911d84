"""Each check of merges fails on a merge that breaks what it checks, and says so in a test that can be pasted."""

from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from pytest_whisperq.contract import streams
from pytest_whisperq.contract.known_bad import BROKEN, AgreementStrip, SuffixPrefix
from pytest_whisperq.contract.merge_kit import (
    BATCH,
    MERGE_CHECKS,
    MergeCheck,
    StreamKind,
    applicable,
    check_merge,
    drawn,
    merge_cases,
    parametrize_merge_checks,
)
from pytest_whisperq.contract.merge_subject import MergeError, MergeSubject
from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.contract.subject import ContractError
from pytest_whisperq.streaming import (
    Chunk,
    Level,
    LocalAgreement,
    StreamProfile,
    StreamWord,
    TimeAnchoredMerge,
    Update,
    english_tens,
    key,
)
from pytest_whisperq.system.errors import StreamError

CHECKS = {check.name: check for check in MERGE_CHECKS}


class Sound(TimeAnchoredMerge):
    """A merge to be spoiled in one thing."""

    waivers: ClassVar[dict[str, str]] = {}

    def __init__(self, profile: StreamProfile) -> None:
        super().__init__(profile, numbers=english_tens)

    def _spoil(self, word: StreamWord) -> StreamWord | None:
        return word

    @property
    def committed(self) -> tuple[StreamWord, ...]:
        return self._spoiled(super().committed)

    def push(self, chunk: Chunk) -> Update:
        return self._told(super().push(chunk))

    def flush(self) -> Update:
        return self._told(super().flush())

    def _told(self, update: Update) -> Update:
        return Update(self._spoiled(update.committed), self._spoiled(update.tentative))

    def _spoiled(self, words: tuple[StreamWord, ...]) -> tuple[StreamWord, ...]:
        return tuple(found for word in words if (found := self._spoil(word)) is not None)


class TakesBack(Sound):
    """Shows what is committed without its last word whenever something is tentative."""

    @property
    def committed(self) -> tuple[StreamWord, ...]:
        return super().committed[: -1 if any(not slot.secure for slot in self._slots) else None]


class TellsNothing(Sound):
    """Commits, and does not say so."""

    def push(self, chunk: Chunk) -> Update:
        return Update((), super().push(chunk).tentative)


class LosesTheRest(Sound):
    """Throws away what is tentative when the stream is over."""

    def flush(self) -> Update:
        self._slots = self._slots[: self._closed]
        return super().flush()


class FlushesTwice(Sound):
    """Commits the last word again when it is flushed again."""

    def flush(self) -> Update:
        if self._over and self._committed:
            self._committed.append(self._committed[-1])
        return super().flush()


class NeverOver(Sound):
    """Goes on after flush."""

    def push(self, chunk: Chunk) -> Update:
        self._over = False
        return super().push(chunk)


class TimesOfTheWindow(Sound):
    """Counts times from the start of the latest window."""

    def _spoil(self, word: StreamWord) -> StreamWord:
        return word._replace(start=word.start - max(self._left, 0), end=word.end - max(self._left, 0))


class ForgetsWhen(Sound):
    """Lets every word begin where the stream does."""

    def _spoil(self, word: StreamWord) -> StreamWord:
        return word._replace(start=0)


class ShowsAgain(Sound):
    """Shows the word it has committed last once more, as if it might still change."""

    def _told(self, update: Update) -> Update:
        return Update(update.committed, (*self.committed[-1:], *update.tentative))


class KeepsAll(Sound):
    """Keeps every word it has committed in its state."""

    @property
    def state_size(self) -> int:
        return len(self._committed)


class WaitsForTheEnd(Sound):
    """Commits when the stream is over."""

    def _commit(self, *, everything: bool = False) -> tuple[StreamWord, ...]:
        return super()._commit(everything=True) if everything else ()


class StartsAnewWhenEmpty(Sound):
    """Forgets what is open at a window in which it hears nothing."""

    def push(self, chunk: Chunk) -> Update:
        if not chunk.words:
            self._slots = self._slots[: self._closed]
        return super().push(chunk)


class StartsAnewBehindAGap(Sound):
    """Forgets what is open where no window overlaps the one before."""

    def push(self, chunk: Chunk) -> Update:
        if chunk.start > self._right > 0:
            self._slots = self._slots[: self._closed]
        return super().push(chunk)


class SharesItsMemory(Sound):
    """All merges of this kind count together."""

    pushes: ClassVar[list[int]] = []

    def push(self, chunk: Chunk) -> Update:
        self.pushes.append(chunk.seq)
        update = super().push(chunk)
        return Update(update.committed, update.tentative[: len(self.pushes) // 2 % 2])


class OnlyAscii(Sound):
    """Knows English alone."""

    def _spoil(self, word: StreamWord) -> StreamWord | None:
        return word if key(word.text).isascii() else None


class WritesItsOwn(Sound):
    """Writes words as no window did."""

    def _spoil(self, word: StreamWord) -> StreamWord:
        return word._replace(text=f"{word.text}!")


class NoNumbers(Sound):
    """Does not know that "25" is "twenty five"."""

    def __init__(self, profile: StreamProfile) -> None:
        TimeAnchoredMerge.__init__(self, profile)


class EndsAfterAnHour(Sound):
    """Says nothing of what comes after the first hour."""

    def _spoil(self, word: StreamWord) -> StreamWord | None:
        return word if word.start < 3_600_000 else None


class HatesTheLetterQ(Sound):
    """Leaves a word out for how it is spelled."""

    def _spoil(self, word: StreamWord) -> StreamWord | None:
        return None if word.text.startswith("q") else word


class CountsItsWindows(Sound):
    """Says less when there were many windows."""

    count = 0

    def push(self, chunk: Chunk) -> Update:
        self.count += 1
        return super().push(chunk) if self.count < 6 else Update()


class ForgetsResends(Sound):
    """Takes a window that comes again, not at once, for a new one, and the others for older ones."""

    def push(self, chunk: Chunk) -> Update:
        if self._right > chunk.end and self._windows.pop((chunk.start, chunk.end), None):
            self._slots = self._slots[: self._closed]
        return super().push(chunk)


SPOILED: tuple[tuple[str, Callable[..., TimeAnchoredMerge]], ...] = (
    ("monotone_commit", TakesBack),
    ("monotone_commit", TellsNothing),
    ("stale_chunks", ForgetsResends),
    ("no_loss_at_flush", LosesTheRest),
    ("no_loss_at_flush", FlushesTwice),
    ("no_loss_at_flush", NeverOver),
    ("times", TimesOfTheWindow),
    ("times", ForgetsWhen),
    ("shown_once", ShowsAgain),
    ("bounded_state", KeepsAll),
    ("latency", WaitsForTheEnd),
    ("chunk_tolerance", StartsAnewWhenEmpty),
    ("gap", StartsAnewBehindAGap),
    ("repeatable", SharesItsMemory),
    ("unicode", OnlyAscii),
    ("surface", WritesItsOwn),
    ("numbers", NoNumbers),
    ("shift", EndsAfterAnHour),
    ("renaming", HatesTheLetterQ),
    ("split_invariance", CountsItsWindows),
)


def broken(subject: MergeSubject, check: MergeCheck) -> MergeError:
    """Return the first counterexample, as it is drawn: the shortest takes a hundred times as long."""
    for level in check.levels(subject.level):
        for _, stream in drawn(check.kind(level, subject.profile), 300):
            try:
                check.function(subject, stream)
            except MergeError as error:
                return error
    pytest.fail(f"{subject.name} keeps {check.name}")


@pytest.mark.parametrize(("name", "make"), SPOILED, ids=[f"{name}-{make.__name__}" for name, make in SPOILED])
def test_a_check_finds_the_merge_that_breaks_it(name: str, make: Callable[..., TimeAnchoredMerge]) -> None:
    assert broken(MergeSubject(make), CHECKS[name]).subject.name == make.__name__


LONG = [StreamProfile(window=window) for window in (8000, 15_000, 30_000)]


@pytest.mark.parametrize("profile", LONG, ids=lambda profile: f"{profile.window}")
@pytest.mark.parametrize(("merge", "name", "lowest"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value)))
def test_merges_that_people_use_are_found_however_long_windows_are(
    profile: StreamProfile, merge: type, name: str, lowest: Level
) -> None:
    broken(MergeSubject(merge, level=lowest, profile=profile), CHECKS[name])


@pytest.mark.parametrize("profile", LONG, ids=lambda profile: f"{profile.window}")
@pytest.mark.parametrize("level", Level)
def test_windows_slide_however_long_they_are(level: Level, profile: StreamProfile) -> None:
    batch = [stream for _, stream in drawn(StreamKind(level, profile), BATCH)]
    behind = [stream for stream in batch if stream.truth[0].end < stream.chunks[-1].start < stream.truth[-1].start]
    assert behind, "words are said before windows slide and after it"


def test_streams_that_do_not_slide_are_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_stretched", lambda draw, truth, length: (truth, truth[-1].end))
    kind = StreamKind(Level.TIMED, StreamProfile(window=15_001))
    with pytest.raises(
        StreamError, match=rf"only 0 of {BATCH} streams of the level TIMED slide 3 times; the check would"
    ):
        next(drawn(kind, 1))


def test_words_overlap_in_streams_by_more_than_times_are_off() -> None:
    for level in (Level.TEXT, Level.JITTER, Level.EDGES):
        found = [stream for _, stream in drawn(StreamKind(level), 2 * BATCH)]
        pairs = [(stream.profile, *pair) for stream in found for pair in pairwise(stream.truth)]
        assert any(right.start < left.end - 2 * profile.jitter for profile, left, right in pairs), level
        assert all(left.end <= right.end for _, left, right in pairs)


def test_a_merge_without_profile_is_not_accused_of_what_another_profile_asks() -> None:
    def made_for_two_votes() -> TimeAnchoredMerge:
        return TimeAnchoredMerge(StreamProfile())

    with pytest.raises(ContractError, match="made_for_two_votes takes no StreamProfile, and none is named"):
        MergeSubject(made_for_two_votes, level=Level.TIMED)
    subject = MergeSubject(made_for_two_votes, level=Level.TIMED, profile=StreamProfile())
    check_merge(subject, CHECKS["repeats"], examples=60)


@parametrize_merge_checks(SuffixPrefix, level=Level.TEXT, examples=100)
def test_a_merge_of_texts_keeps_all_that_texts_can_promise(check: Callable[[], None]) -> None:
    check()


class Seer(MergeSubject):
    """Makes merges that know when the stream will end, and tell."""

    def new(self, stream: Stream) -> Sound:  # type: ignore[override]
        merge = Sound(stream.profile)
        last = max((chunk.end for chunk in stream.chunks), default=0)
        merge._spoil = lambda word: word._replace(end=max(word.end, last))  # type: ignore[method-assign]
        return merge


def test_a_merge_that_knows_the_future_is_found() -> None:
    assert broken(Seer(Sound), CHECKS["causality"]).what == "it knows the future"


def test_no_check_is_without_a_merge_that_breaks_it() -> None:
    found = {name for name, _ in SPOILED} | {name for _, name, _ in BROKEN} | {"causality"}
    assert found == set(CHECKS)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        pytest.param(SuffixPrefix, "repeats", marks=pytest.mark.matrix),
        pytest.param(AgreementStrip, "idempotence", marks=pytest.mark.matrix),
        (LosesTheRest, "no_loss_at_flush"),
    ],
)
def test_what_is_printed_to_be_pasted_fails_as_the_stream_did(make: Callable[..., Any], name: str) -> None:
    subject, check = MergeSubject(make, level=Level.JITTER), CHECKS[name]
    with pytest.raises(ContractError) as told:
        check_merge(subject, check, examples=60)
    test = str(told.value).partition("To keep it as a test:")[2]
    for tested, fails in ((make, True), (Sound, False)):
        names: dict[str, Any] = {subject.name: tested}
        exec(test, names)
        with pytest.raises(ContractError) if fails else nullcontext():
            names[f"test_{check.invariant.lower()}_{name}"]()


def waiving(**waivers: str) -> MergeSubject:
    return MergeSubject(LocalAgreement, level=Level.TIMED, waivers=waivers)


def test_a_check_that_is_waived_is_skipped_with_the_reason() -> None:
    cases = {case.id: case for case in merge_cases(waiving(bounded_state="we keep the sound anyway"), examples=10)}
    (mark,) = cases["I7-bounded_state"].marks
    assert (mark.name, mark.kwargs["reason"]) == ("skip", "waived: we keep the sound anyway")
    assert not any(case.marks for name, case in cases.items() if name != "I7-bounded_state")


@pytest.mark.parametrize(
    ("waivers", "why"),
    [
        ({"state": "why not"}, "LocalAgreement waives 'state'; there are: bounded_state, causality, "),
        ({"latency": " "}, "LocalAgreement waives 'latency' without a reason"),
    ],
)
def test_a_waiver_of_nothing_or_without_a_reason_is_an_error(waivers: dict[str, str], why: str) -> None:
    with pytest.raises(ContractError, match=why):
        list(applicable(waiving(**waivers)))


def test_a_merge_is_not_accused_where_none_can_be_right() -> None:
    with pytest.raises(StreamError, match="no merge can be right"):
        MergeSubject(SuffixPrefix, level=Level.TEXT, profile=StreamProfile(window=1500, hop=1000, edge=0, jitter=0))


def test_numbers_need_words_that_are_long_enough_to_be_told_apart() -> None:
    tight = StreamProfile(jitter=40, longest_word=300)
    with pytest.raises(StreamError, match="raise longest_word, or waive 'numbers'"):
        check_merge(MergeSubject(Sound, profile=tight), CHECKS["numbers"], examples=3)


@pytest.mark.parametrize("check", MERGE_CHECKS, ids=lambda check: check.name)
def test_a_check_sees_all_the_streams_it_is_told_to(check: MergeCheck) -> None:
    seen = 0

    class Counting(MergeSubject):
        def new(self, stream: Stream) -> Sound:  # type: ignore[override]
            nonlocal seen
            seen += 1
            return Sound(stream.profile)

    check_merge(Counting(Sound), check, examples=50)
    assert seen >= 50


def test_streams_are_the_same_every_time_and_others_in_every_batch() -> None:
    kind = CHECKS["times"].kind(Level.JITTER)
    first, again = ([stream for _, stream in drawn(kind, 4 * BATCH)] for _ in range(2))
    assert first == again
    batches = [first[start : start + BATCH] for start in range(0, len(first), BATCH)]
    assert all(one != other for number, one in enumerate(batches) for other in batches[:number])
    assert len({repr(stream) for stream in first}) > 3 * BATCH
