"""What a streaming merge has to keep, invariant by invariant: plain functions that raise `ContractError`.

Numbers are those of the documentation; each check takes a subject and a `Stream`, and works on any stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_whisperq.contract.merge_subject import MergeError, MergeSubject, run, texts
from pytest_whisperq.contract.stream import Stream, shifted
from pytest_whisperq.streaming import Chunk, Level, StreamWord, join, key


def check_monotone_commit(subject: MergeSubject, stream: Stream) -> None:
    """I1: what is committed stays as it is, and each update tells what it adds."""
    outcome = run(subject, stream)
    before: tuple[StreamWord, ...] = ()
    for update, after in zip(outcome.updates, outcome.committed, strict=True):
        if after[: len(before)] != before:
            raise MergeError(subject, stream, "it retracts what it has committed", texts(before), texts(after))
        if tuple(update.committed) != after[len(before) :]:
            raise MergeError(
                subject, stream, "an update tells other words than it commits", texts(after), texts(update.committed)
            )
        before = after


def check_shown_once(subject: MergeSubject, stream: Stream) -> None:
    """I18: what is tentative does not say again what is committed: no word is shown more often than it was said."""
    said = Counter(stream.expected)
    outcome = run(subject, stream)
    for update, committed in zip(outcome.updates, outcome.committed, strict=True):
        shown = texts((*committed, *update.tentative))
        if more := Counter(shown) - said:
            word, count = next(iter(more.items()))
            what = f"it shows {word!r} {said[word] + count} times, {' '.join(texts(tuple(update.tentative)))!r} of it "
            what += "tentative"
            raise MergeError(subject, stream, what, stream.expected, shown)


def check_exact_recovery(subject: MergeSubject, stream: Stream) -> None:
    """I2: with windows that overlap enough, what is committed in the end is what was said."""
    committed = texts(run(subject, stream).words)
    if committed != stream.expected:
        raise MergeError(subject, stream, "it does not say what was said", stream.expected, committed)


def check_idempotence(subject: MergeSubject, stream: Stream) -> None:
    """I3: a chunk that is pushed again at once changes nothing, also not what agrees with it."""
    _push_again(subject, stream, lambda number: stream.chunks[number : number + 1])


def check_stale_chunks(subject: MergeSubject, stream: Stream) -> None:
    """I3: a chunk that comes again when later ones have come changes nothing."""
    _push_again(subject, stream, lambda number: (stream.chunks[number - 1], stream.chunks[0]) if number else ())


def _push_again(subject: MergeSubject, stream: Stream, behind: Callable[[int], tuple[Chunk, ...]]) -> None:
    """Push, behind each chunk, those that `behind` gives for its number; raise `MergeError` where they count."""
    merge, plain = subject.new(stream), run(subject, stream)
    for number, chunk in enumerate(stream.chunks):
        merge.push(chunk)
        for again in behind(number):
            update = merge.push(again)
            expected = plain.committed[number]
            if tuple(merge.committed) != expected:
                what = f"chunk {again.seq} pushed again changes what is committed"
                raise MergeError(subject, stream, what, texts(expected), texts(tuple(merge.committed)))
            if tuple(update.tentative) != tuple(plain.updates[number].tentative):
                what = f"chunk {again.seq} pushed again changes what is tentative"
                raise MergeError(
                    subject, stream, what, texts(plain.updates[number].tentative), texts(tuple(update.tentative))
                )


def check_no_loss_at_flush(subject: MergeSubject, stream: Stream) -> None:
    """I5: a stream that breaks off keeps all it has heard; flushing again changes nothing; pushing afterwards fails."""
    chunks = stream.chunks[: (len(stream.chunks) + 1) // 2]
    end = max((chunk.end for chunk in chunks), default=0)
    merge = subject.new(stream)
    for chunk in chunks:
        merge.push(chunk)
    merge.flush()
    once = tuple(merge.committed)
    expected = [key(word.text) for word in stream.truth if word.end <= end]
    broken_off = replace(stream, chunks=chunks)
    if stream.level < Level.EDGES and texts(once) != expected:
        raise MergeError(subject, broken_off, "flush loses or doubles words", expected, texts(once))
    merge.flush()
    if tuple(merge.committed) != once:
        raise MergeError(subject, broken_off, "flushing again changes it", texts(once), texts(tuple(merge.committed)))
    try:
        merge.push(Chunk(len(chunks), end, end + 1000, (StreamWord("late", end, end + 300),)))
    except Exception:  # noqa: BLE001 - which error it is, is the merge's own business
        return
    raise MergeError(subject, broken_off, "it goes on after flush", ["an error"], ["none"])


def check_times(subject: MergeSubject, stream: Stream) -> None:
    """I6: starts do not fall, no word ends before it starts, all lie in the stream, and where windows heard them.

    Where nothing but jitter is wrong with windows, that is as far as twice the jitter from where one heard the word.
    """
    heard: dict[str, list[StreamWord]] = {}
    for chunk in stream.chunks:
        for word in chunk.words:
            heard.setdefault(key(word.text), []).append(word)
    exact = 2 * stream.profile.jitter
    first, last = min(chunk.start for chunk in stream.chunks), max(chunk.end for chunk in stream.chunks)
    previous = first
    for word in run(subject, stream).words:
        if not previous <= word.start <= word.end <= last:
            what = f"{word.text!r} is at {word.start}-{word.end} ms, after a word at {previous} ms"
            raise MergeError(subject, stream, what, [f"{previous} <= start <= end <= {last}"], [str(word)])
        previous = word.start
        like = heard.get(key(word.text), [])
        near = [abs(word.start - one.start) <= exact and abs(word.end - one.end) <= exact for one in like]
        if stream.level <= Level.JITTER and not any(near):
            what = f"no window heard {word.text!r} at {word.start}-{word.end} ms"
            raise MergeError(subject, stream, what, [str(one) for one in dict.fromkeys(like)], [str(word)])


def check_bounded_state(subject: MergeSubject, stream: Stream) -> None:
    """I7: what it keeps depends on the length of the window, not on that of the stream (`state_size`, in words)."""
    if not hasattr(subject.new(stream), "state_size"):
        what = "it does not tell its state_size: give it that property, or waive bounded_state with a reason"
        raise MergeError(subject, stream, what, ["a number of words"], ["nothing"])
    period = max(chunk.end for chunk in stream.chunks) + stream.profile.window
    parts = [stream.shifted(turn * period).chunks for turn in range(6)]
    chunks = [replace(chunk, final=False) for part in parts for chunk in part]
    merge: Any = subject.new(stream)
    peaks = []
    for turn, chunk in enumerate(chunks):
        merge.push(replace(chunk, seq=turn))
        if turn % len(stream.chunks) == len(stream.chunks) - 1:
            peaks.append(merge.state_size)
    if peaks[-1] > 2 * max(peaks[:2]) + 8:
        raise MergeError(subject, stream, "its state grows with the stream", [str(peaks[0])], [str(peaks[-1])])


def check_latency(subject: MergeSubject, stream: Stream) -> None:
    """I8: a word that every window hears is committed once the windows have moved on by a window and a hop."""
    merge = subject.new(stream)
    wait = stream.profile.window + stream.profile.hop
    for chunk in stream.chunks:
        merge.push(chunk)
        due = [key(word.text) for word in stream.truth if word.end + wait <= chunk.end]
        committed = texts(tuple(merge.committed))
        if len(committed) < len(due):
            what = f"at {chunk.end} ms words wait for more than a window and a hop ({wait} ms)"
            raise MergeError(subject, stream, what, due, committed)


def check_gap(subject: MergeSubject, stream: Stream) -> None:
    """I10: where sound between two windows is lost, all comes out that windows before and behind have heard."""
    before = stream.clean(stream.profile.hop)
    behind = before.shifted(2 * max(chunk.end for chunk in before.chunks) + stream.profile.window)
    chunks = tuple(replace(c, seq=seq, final=False) for seq, c in enumerate((*before.chunks, *behind.chunks)))
    check_exact_recovery(subject, replace(before, truth=(*before.truth, *behind.truth), chunks=chunks))


def check_repeatable(subject: MergeSubject, stream: Stream) -> None:
    """I11: the same chunks give the same updates, whatever other merges do meanwhile."""
    one, other = subject.new(stream), subject.new(stream)
    noise = stream.renamed(lambda text: text + "s").chunks
    third = subject.new(stream)
    for chunk, beside in zip(stream.chunks, noise, strict=True):
        first = one.push(chunk)
        third.push(beside)
        second = other.push(chunk)
        if first != second:
            raise MergeError(subject, stream, "two merges disagree", texts(first.committed), texts(second.committed))


def check_causality(subject: MergeSubject, stream: Stream) -> None:
    """I14: what a push returns depends on the chunks so far, not on those to come."""
    half = replace(stream, chunks=stream.chunks[: len(stream.chunks) // 2])
    count = len(half.chunks)
    half_updates, whole_updates = run(subject, half).updates[:count], run(subject, stream).updates[:count]
    for one, other in zip(half_updates, whole_updates, strict=True):
        if one != other:
            raise MergeError(subject, stream, "it knows the future", texts(one.committed), texts(other.committed))


def check_shift(subject: MergeSubject, stream: Stream) -> None:
    """I15: the same stream an hour later gives the same words an hour later."""
    later = 3_600_000
    plain, late = run(subject, stream).words, run(subject, stream.shifted(later)).words
    if shifted(plain, later) != late:
        raise MergeError(subject, stream, "an hour later it says something else", texts(plain), texts(late))


def check_renaming(subject: MergeSubject, stream: Stream) -> None:
    """I16: in other words, as many and as different, it does the same."""

    def rename(text: str) -> str:
        return f"q{text}z"

    plain, renamed = texts(run(subject, stream).words), texts(run(subject, stream.renamed(rename)).words)
    if [key(rename(text)) for text in plain] != renamed:
        raise MergeError(subject, stream, "in other words it says something else", plain, renamed)


def check_split_invariance(subject: MergeSubject, stream: Stream) -> None:
    """I17: however the windows are cut, the same words come out."""
    hops = (stream.profile.hop, max(1, stream.profile.hop // 2))
    one, other = (texts(run(subject, stream.clean(hop)).words) for hop in hops)
    if one != other:
        raise MergeError(subject, stream.clean(hops[1]), f"every {hops[0]} ms it says something else", one, other)


def check_surface(subject: MergeSubject, stream: Stream) -> None:
    """I12, I13: it writes each word as a window wrote it, and breaks no character."""
    observed = {word.text.strip() for chunk in stream.chunks for word in chunk.words}
    words = run(subject, stream).words
    for word in words:
        if word.text.strip() not in observed and not all(part in observed for part in word.text.split()):
            raise MergeError(subject, stream, f"no window wrote {word.text!r}", sorted(observed), [word.text])
    if "\N{REPLACEMENT CHARACTER}" in join(words):
        raise MergeError(subject, stream, "it broke a character", stream.expected, texts(words))


def check_numbers(subject: MergeSubject, stream: Stream) -> None:
    """I13: a number that one window writes in digits and another in words is said once."""
    committed = " ".join(texts(run(subject, stream).words)).replace("twenty five", "25").split()
    expected = " ".join(stream.expected).replace("twenty five", "25").split()
    if committed != expected:
        raise MergeError(subject, stream, "a number is lost, doubled or half", expected, committed)
