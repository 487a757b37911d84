"""Runs the checks of a merge on generated streams, level by level, and tells the shortest counterexample."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_whisperq.contract import merge
from pytest_whisperq.contract.issues import reported
from pytest_whisperq.contract.merge_subject import MergeError, MergeSubject, run, texts
from pytest_whisperq.contract.stream import Stream
from pytest_whisperq.contract.subject import ContractError
from pytest_whisperq.measuring.scores import ErrorCount, count_errors, error_rate
from pytest_whisperq.streaming import Level, StreamProfile, key
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import StreamError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

EXAMPLES = 1000
"""Streams a check sees, all levels together, unless it is told otherwise."""

BATCH = 25
"""Streams that are drawn together."""

STARTS = 3
"""Batches a counterexample is shortened from: how short it gets depends on where it starts."""


class StreamKind(NamedTuple):
    """What streams are drawn: the arguments of `contract.streams.streams`."""

    level: Level
    profile: StreamProfile | None = None
    repeats: bool = True
    numbers: bool = False
    most: int = 8

    def strategy(self, *, slides: bool) -> SearchStrategy[Stream]:
        """Return the strategy that draws them; raises `MissingDependency` without hypothesis."""
        optional_imports.require("hypothesis", extra="streaming", purpose="test a merge on generated streams")
        from pytest_whisperq.contract.streams import streams

        return streams(
            self.level, self.profile, repeats=self.repeats, numbers=self.numbers, most=self.most, slides=slides
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCheck:
    """One invariant, on streams of the levels at which it makes sense."""

    invariant: str
    function: Callable[[MergeSubject, Stream], None]
    lowest: Level = Level.TEXT
    highest: Level = Level.DISTURBED
    repeats: bool = True
    numbers: bool = False
    title: str = ""

    @property
    def name(self) -> str:
        """What waivers and test ids call it."""
        return self.title or self.function.__name__.removeprefix("check_")

    def levels(self, claimed: Level) -> list[Level]:
        """Return the levels on which a merge that claims this one is checked, lowest first."""
        return [level for level in Level if self.lowest <= level <= min(self.highest, claimed)]

    def kind(self, level: Level, profile: StreamProfile | None = None, *, most: int = 8) -> StreamKind:
        """Return what it is checked on: streams of about `most` words."""
        return StreamKind(level, profile, self.repeats, self.numbers, most)


_recovery = partial(MergeCheck, function=merge.check_exact_recovery)

MERGE_CHECKS: tuple[MergeCheck, ...] = (
    MergeCheck(invariant="I1", function=merge.check_monotone_commit),
    _recovery(invariant="I2", highest=Level.JITTER, repeats=False),
    MergeCheck(invariant="I3", function=merge.check_idempotence),
    MergeCheck(invariant="I3", function=merge.check_stale_chunks, lowest=Level.DISTURBED),
    _recovery(invariant="I4", lowest=Level.TIMED, highest=Level.JITTER, title="repeats"),
    MergeCheck(invariant="I5", function=merge.check_no_loss_at_flush, highest=Level.SURFACE),
    MergeCheck(invariant="I6", function=merge.check_times, lowest=Level.TIMED),
    MergeCheck(invariant="I7", function=merge.check_bounded_state, highest=Level.SURFACE),
    MergeCheck(invariant="I8", function=merge.check_latency, highest=Level.SURFACE),
    _recovery(invariant="I9", lowest=Level.EDGES, highest=Level.EDGES, title="edge_robustness"),
    _recovery(invariant="I10", lowest=Level.DISTURBED, title="chunk_tolerance"),
    MergeCheck(invariant="I10", function=merge.check_gap, lowest=Level.DISTURBED),
    MergeCheck(invariant="I11", function=merge.check_repeatable),
    _recovery(invariant="I12", lowest=Level.SURFACE, highest=Level.SURFACE, title="unicode"),
    MergeCheck(invariant="I13", function=merge.check_surface, lowest=Level.SURFACE),
    MergeCheck(
        invariant="I13", function=merge.check_numbers, lowest=Level.SURFACE, highest=Level.SURFACE, numbers=True
    ),
    MergeCheck(invariant="I14", function=merge.check_causality),
    MergeCheck(invariant="I15", function=merge.check_shift),
    MergeCheck(invariant="I16", function=merge.check_renaming, highest=Level.EDGES),
    MergeCheck(invariant="I17", function=merge.check_split_invariance, highest=Level.JITTER),
    MergeCheck(invariant="I18", function=merge.check_shown_once, highest=Level.JITTER),
)
"""Every check of the contract, in the order of the documentation."""


def check_merge(subject: MergeSubject, check: MergeCheck, *, examples: int = EXAMPLES) -> None:
    """Search for a stream that breaks an invariant, from the lowest level up to the one the merge claims.

    Raises `ContractError` with the shortest counterexample found and a test that repeats it.
    """
    levels = check.levels(subject.level)
    for level in levels:
        error = counterexample(subject, check, level, examples=-(-examples // len(levels)))
        if error is not None:
            raise ContractError(told(check, level, error))


def counterexample(
    subject: MergeSubject, check: MergeCheck, level: Level, *, examples: int = EXAMPLES
) -> MergeError | None:
    """Return what a check raises on the shortest stream of this level that fails it, if one does; every time the same.

    First come streams on which others were reported to fail. Of the examples a third are streams of two or three
    words: what goes wrong mostly does so in these.
    """

    def judge(stream: Stream) -> None:
        try:
            check.function(subject, stream)
        except MergeError as error:
            error.checked = stream
            raise
        except Exception as error:
            raise MergeError(subject, stream, f"it fails with {error!r}", stream.expected, []) from error

    errors: list[MergeError] = []
    try:
        for known in reported(check.name, level, subject):
            judge(known.stream)
    except MergeError as error:
        errors.append(error)
    for most, part in ((3, max(1, examples // 3)), (8, examples - examples // 3)):
        kind = check.kind(level, subject.profile, most=most)
        batch = _failing(kind, judge, part)
        if batch is not None:
            free = batch + _slides(batch)  # only where windows need not slide a table can become short
            starts = [_shortened(kind, judge, free + 2 * more) for more in range(STARTS)]
            shortened = [error for error in starts if error is not None]
            errors += shortened or [error for error in (_shortened(kind, judge, batch),) if error is not None]
            break
    return min(errors, key=_length, default=None)


def _failing(kind: StreamKind, judge: Callable[[Stream], None], count: int) -> int | None:
    """Return the number of the first batch with a stream that fails, among so many streams."""
    for batch, stream in drawn(kind, count):
        try:
            judge(stream)
        except MergeError:
            return batch
    return None


def drawn(kind: StreamKind, count: int) -> Iterator[tuple[int, Stream]]:
    """Yield so many streams, each with the number of its batch, the same ones every time.

    Drawing takes longer than most checks, which therefore share what was drawn.
    """
    numbered = ((number, stream) for number in itertools.count() for stream in _batch(kind, number))
    return itertools.islice(numbered, count)


@lru_cache(maxsize=256)
def _batch(kind: StreamKind, number: int) -> tuple[Stream, ...]:
    streams: list[Stream] = []

    def keep(stream: Stream) -> None:
        streams.append(stream)

    _search(kind, keep, number)
    if _slides(number):
        _check_that_they_slide(kind, streams)
    return tuple(streams)


def _slides(number: int) -> bool:
    """Tell whether all windows of a batch slide: of every other one, so that no merge passes that forgets."""
    return number % 2 == 0


def _check_that_they_slide(kind: StreamKind, streams: Sequence[Stream]) -> None:
    """Raise `StreamError` for streams that do not slide several times: of what left the windows they ask nothing."""
    from pytest_whisperq.contract.streams import SLIDES

    sliding = sum(stream.slides >= SLIDES for stream in streams)
    if sliding < len(streams):
        raise StreamError(
            f"only {sliding} of {len(streams)} streams of the level {kind.level.name} slide {SLIDES} times",
            where=str(kind.profile or "profiles drawn"),
            remedy="the check would prove nothing: report it, with this profile",
        )


def _shortened(kind: StreamKind, judge: Callable[[Stream], None], number: int) -> MergeError | None:
    """Judge the streams of a batch, and ever shorter ones once one fails; return the shortest that does."""
    try:
        _search(kind, judge, number)
    except MergeError as error:
        return error
    return None


def _search(kind: StreamKind, run: Callable[[Stream], None], number: int) -> None:
    """Run a function on a batch of streams, the same ones whatever it is, and on ever shorter ones once it fails."""
    import hypothesis

    settings = hypothesis.settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    strategy = kind.strategy(slides=_slides(number))
    searched: Callable[[], None] = hypothesis.seed(number)(settings(hypothesis.given(strategy)(run)))
    searched()


def interior_error_rates(subject: MergeSubject, *, examples: int = EXAMPLES) -> tuple[float, float]:
    """Return the word error rate of a merge where windows err anywhere, and the share of their words that is wrong.

    No merge can be exact then, so that the level INTERIOR has rates in place of an invariant: one that claims it has
    fewer errors than a window by itself.
    """
    optional_imports.require("hypothesis", extra="streaming", purpose="test a merge on generated streams")
    from pytest_whisperq.contract.window_errors import MISHEARD

    merged, window_words = list[ErrorCount](), list[str]()
    for _, stream in drawn(StreamKind(Level.INTERIOR, subject.profile), examples):
        window_words.extend(key(word.text) for chunk in stream.chunks for word in chunk.words)
        merged.append(count_errors(" ".join(stream.expected), " ".join(texts(run(subject, stream).words))))
    return error_rate(merged) or 0.0, window_words.count(MISHEARD) / max(len(window_words), 1)


def check_interior(subject: MergeSubject, *, examples: int = EXAMPLES) -> None:
    """Level INTERIOR: of the errors that windows make anywhere a merge keeps less than one window makes.

    Raises `ContractError` with both error rates otherwise.
    """
    merged, single = interior_error_rates(subject, examples=examples)
    if merged > single:
        raise ContractError(
            f"{subject.name}, level INTERIOR: {100 * merged:.1f} % of its words are wrong, where windows mishear "
            f"{100 * single:.1f} %; let more of them agree, or claim the level DISTURBED"
        )


def _length(error: MergeError) -> tuple[int, int]:
    chunks = error.stream.chunks
    return max(len(chunks), 3), sum(len(chunk.words) for chunk in chunks)


def told(check: MergeCheck, level: Level, error: MergeError) -> str:
    """Return a finding as it is shown: invariant, level, table of chunks, and a test to paste."""
    function = check.function.__name__
    made = f"{error.subject.name}, level=Level.{error.subject.level.name}, profile=stream.profile"
    test = [
        f"from pytest_whisperq.contract import MergeSubject, Stream, {function}",
        "from pytest_whisperq.streaming import Chunk, Level, StreamProfile, StreamWord",
        "",
        f"def test_{check.invariant.lower()}_{check.name}():",
        *(f"    {line}" for line in f"stream = {chr(10).join(error.checked.code())}".splitlines()),
        f"    {function}(MergeSubject({made}), stream)",
    ]
    return "\n".join(
        [f"{check.invariant} {check.name}, level {level.name}: {error}", "", "To keep it as a test:", "", *test]
    )


def applicable(subject: MergeSubject) -> Iterator[tuple[MergeCheck, str]]:
    """Give each check that a merge's level calls for, with the reason where it is waived.

    Raises `ContractError` for a waiver of a check that does not exist or without a reason.
    """
    names = {check.name for check in MERGE_CHECKS}
    for name, reason in subject.waivers.items():
        if name not in names:
            raise ContractError(f"{subject.name} waives {name!r}; there are: {', '.join(sorted(names))}")
        if not reason.strip():
            raise ContractError(f"{subject.name} waives {name!r} without a reason")
    for check in MERGE_CHECKS:
        if check.levels(subject.level):
            yield check, subject.waivers.get(check.name, "")


def merge_cases(subject: MergeSubject, *, examples: int = EXAMPLES) -> list[Any]:
    """Return a ``pytest.param`` for each check of a merge, a function of no arguments; those it waives are skipped."""
    import pytest

    cases = [
        pytest.param(
            partial(check_merge, subject, check, examples=examples),
            id=f"{check.invariant}-{check.name}",
            marks=[pytest.mark.skip(reason=f"waived: {reason}")] if reason else [],
        )
        for check, reason in applicable(subject)
    ]
    if subject.level == Level.INTERIOR:
        cases.append(pytest.param(partial(check_interior, subject, examples=examples), id="interior"))
    return cases


def parametrize_merge_checks(
    make: Any, *, level: Level | None = None, profile: StreamProfile | None = None, examples: int = EXAMPLES
) -> Any:
    """Return a decorator that runs a test function, which calls its argument ``check``, once for each check."""
    import pytest

    subject = make if isinstance(make, MergeSubject) else MergeSubject(make, level=level, profile=profile)
    return pytest.mark.parametrize("check", merge_cases(subject, examples=examples))
