"""The contract of merges: ours keep it, known-bad ones are found out, and one that knows the truth is never accused."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import Phase, given, settings

from pytest_whisperq.contract.known_bad import BROKEN, AgreementStrip, SuffixPrefix
from pytest_whisperq.contract.merge_kit import (
    MERGE_CHECKS,
    MergeCheck,
    check_interior,
    check_merge,
    counterexample,
    interior_error_rates,
    parametrize_merge_checks,
)
from pytest_whisperq.contract.merge_subject import MergeSubject
from pytest_whisperq.contract.state_machine import merge_machine
from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.contract.streams import streams
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
)


def anchored(profile: StreamProfile) -> TimeAnchoredMerge:
    return TimeAnchoredMerge(profile, numbers=english_tens)


@parametrize_merge_checks(TimeAnchoredMerge, examples=100)
def test_the_merge_as_it_is_made_keeps_what_it_does_not_waive(check: Callable[[], None]) -> None:
    check()


ANCHORED = MergeSubject(anchored, level=TimeAnchoredMerge.level)
CHECKS = {check.name: check for check in MERGE_CHECKS}


@parametrize_merge_checks(ANCHORED, examples=400)
def test_the_merge_keeps_the_contract(check: Callable[[], None]) -> None:
    """On some hundred streams each, the same in every run; `merge_soak.py` makes others by the thousand."""
    check()


@parametrize_merge_checks(LocalAgreement, examples=400)
def test_local_agreement_keeps_the_contract_up_to_jitter(check: Callable[[], None]) -> None:
    check()


SHRUNK = [pytest.param(*one, marks=() if place < 2 else pytest.mark.matrix) for place, one in enumerate(BROKEN)]


@pytest.mark.parametrize(("merge", "name", "lowest"), SHRUNK, ids=lambda value: getattr(value, "__name__", str(value)))
def test_known_bad_merges_are_found_with_a_short_table(merge: type, name: str, lowest: Level) -> None:
    subject = MergeSubject(merge, level=Level.DISTURBED)
    error = counterexample(subject, CHECKS[name], lowest, examples=150)
    assert error is not None
    heard = [word for chunk in error.stream.chunks for word in chunk.words]
    assert len(error.stream.chunks) <= 3
    assert len(heard) <= 6


class Oracle:
    """Knows what was said, and commits a word once some window has come past its end."""

    def __init__(self, truth: Sequence[StreamWord]) -> None:
        self._truth = truth
        self._end = -(10**12)
        self._over = False
        self.committed: tuple[StreamWord, ...] = ()
        self.state_size = 0

    def push(self, chunk: Chunk) -> Update:
        if self._over:
            raise RuntimeError("over")
        self._end = max(self._end, chunk.end)
        return self._commit()

    def flush(self) -> Update:
        self._over = True
        return self._commit()

    def _commit(self) -> Update:
        count = sum(word.end <= self._end for word in self._truth)
        new = tuple(self._truth[len(self.committed) : count])
        self.committed += new
        return Update(new)


class OracleSubject(MergeSubject):
    def __init__(self) -> None:
        super().__init__(Oracle, level=Level.DISTURBED)

    def new(self, stream: Stream) -> Oracle:  # type: ignore[override]
        return Oracle(stream.truth)


@pytest.mark.parametrize("check", [c for c in MERGE_CHECKS if c.name != "surface"], ids=lambda check: check.name)
def test_a_merge_that_knows_the_truth_is_never_accused(check: MergeCheck) -> None:
    check_merge(OracleSubject(), check, examples=400)


TestMachine = merge_machine(ANCHORED).TestCase
TestMachine.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)


def test_the_machine_counts_windows_and_not_how_often_they_come() -> None:
    """A gap in the numbers would mean lost sound."""
    machine = merge_machine(ANCHORED)()
    machine.begin(StreamProfile())
    machine.listen(1)
    machine.again(0)
    machine.listen(1)
    assert [chunk.seq for chunk in machine.sent] == [0, 0, 1]


@pytest.mark.parametrize("examples", [1, 6])
def test_few_examples_are_enough_to_search_at_all(examples: int) -> None:
    """Over six levels, that is one of each."""
    check = CHECKS["times"]
    check_merge(OracleSubject(), check, examples=examples)


def test_the_machine_finds_a_known_bad_merge() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    machine = merge_machine(MergeSubject(AgreementStrip))
    searched = settings(max_examples=300, deadline=None, derandomize=True, phases=[Phase.generate])
    with pytest.raises(ContractError, match="it does not say what was said"):
        run_state_machine_as_test(machine, settings=searched)


@given(streams(Level.DISTURBED))
@settings(max_examples=200)
def test_streams_keep_what_their_profile_promises(stream: Stream) -> None:
    assert stream.truth
    stream.profile.check()
    last: dict[str, int] = {}
    for word in stream.truth:
        assert word.end - word.start <= stream.profile.longest_word
        assert word.start - last.get(word.text, -(10**9)) >= stream.profile.repeat_spacing
        last[word.text] = word.start
    for chunk in stream.chunks:
        assert all(chunk.start <= word.start <= word.end <= chunk.end for word in chunk.words)


def voting(votes: int) -> MergeSubject:
    profile = StreamProfile(window=4000, hop=500, edge=100, jitter=20, longest_word=600, votes=votes)
    return MergeSubject(anchored, level=Level.INTERIOR, profile=profile)


@pytest.mark.matrix
def test_where_windows_err_anywhere_agreement_helps() -> None:
    alone, _ = interior_error_rates(voting(1), examples=300)
    agreed, single = interior_error_rates(voting(3), examples=300)
    assert single > 0.02, "windows do err"
    assert agreed < alone / 2
    check_interior(voting(3), examples=300)


def test_a_merge_that_keeps_every_error_cannot_claim_to_survive_them() -> None:
    with pytest.raises(ContractError, match="of its words are wrong, where windows mishear"):
        check_interior(MergeSubject(SuffixPrefix, level=Level.INTERIOR), examples=100)
