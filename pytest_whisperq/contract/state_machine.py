"""The contract as a state machine: speech goes on, windows come or come again, in any order of events."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_whisperq.contract.merge_subject import MergeError, MergeSubject, texts
from pytest_whisperq.contract.stream import Stream, before_growth, whole
from pytest_whisperq.contract.streams import REPEATED, profiles
from pytest_whisperq.streaming import Chunk, Level, StreamProfile, StreamWord, key


def merge_machine(subject: MergeSubject) -> type[RuleBasedStateMachine]:
    """Return a machine for a merge; its ``TestCase`` is what pytest collects.

    Its windows hear without error; level TIMED is enough to pass it.
    """

    class MergeMachine(RuleBasedStateMachine):
        """Speaks, pushes windows, and knows what must come out."""

        profile: StreamProfile
        merge: Any

        @initialize(profile=profiles() if subject.profile is None else st.just(subject.profile))
        def begin(self, profile: StreamProfile) -> None:
            """Start a stream."""
            self.profile = profile
            self.truth: list[StreamWord] = []
            self.sent: list[Chunk] = []
            self.merge = subject.new(self.stream)
            self.before: tuple[StreamWord, ...] = ()

        @property
        def stream(self) -> Stream:
            """What has happened so far."""
            return Stream(self.profile, tuple(self.truth), tuple(self.sent), Level.TIMED)

        @rule(text=st.sampled_from(REPEATED), silence=st.sampled_from(("", "hop", "window")))
        @precondition(lambda self: len(self.truth) < 8)
        def speak(self, text: str, silence: str) -> None:
            """Say one more word, after the last window and the last word, and not too soon after an equal one."""
            pause = getattr(self.profile, silence) if silence else 0
            equal = [word.start + self.profile.repeat_spacing for word in self.truth if word.text == text]
            start = max([self.position, *equal, self.truth[-1].end if self.truth else 0]) + pause
            self.truth.append(StreamWord(text, start, start + self.profile.longest_word))

        @property
        def windows(self) -> int:
            """How many windows there were; one that came again is the same."""
            return len({chunk.seq for chunk in self.sent})

        @property
        def position(self) -> int:
            """How far windows have come, in ms."""
            return max((chunk.end for chunk in self.sent), default=0)

        @rule(part=st.sampled_from((1, 2)))
        def listen(self, part: int) -> None:
            """Push the next window, a hop or half of one later."""
            end = max(self.position, before_growth(self.profile)) + self.profile.hop // part
            start = max(0, end - self.profile.window)
            self._push(Chunk(self.windows, start, end, whole(tuple(self.truth), start, end)))

        @rule(at=st.integers(0, 3))
        @precondition(lambda self: self.sent)
        def again(self, at: int) -> None:
            """Push one of the last windows again."""
            self._push(self.sent[-1 - min(at, len(self.sent) - 1)])

        @rule()
        @precondition(lambda self: self.sent and subject.level >= Level.DISTURBED)
        def hear_nothing(self) -> None:
            """Push a window of no length, as a recorder that is read too soon gives."""
            self._push(Chunk(self.windows, self.position, self.position))

        def teardown(self) -> None:
            """Hear the rest, flush, and compare with what was said."""
            if not hasattr(self, "merge"):
                return
            while self.truth and self.position < self.truth[-1].end:
                self.listen(1)
            self.merge.flush()
            expected = [key(word.text) for word in self.truth]
            if (committed := texts(tuple(self.merge.committed))) != expected:
                raise MergeError(subject, self.stream, "it does not say what was said", expected, committed)

        def _push(self, chunk: Chunk) -> None:
            self.sent.append(chunk)
            self.merge.push(chunk)

        @invariant()
        def keeps_what_it_committed(self) -> None:
            """I1, after every event."""
            if not hasattr(self, "merge"):
                return
            after = tuple(self.merge.committed)
            if after[: len(self.before)] != self.before:
                what = "it retracts what it has committed"
                raise MergeError(subject, self.stream, what, texts(self.before), texts(after))
            self.before = after

    return MergeMachine
