"""What the streams of a model come to: words, lag, retractions, latency and computing, measured and not yet judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

from pytest_whisperq.gates.streams import ALIGNER, Streamed, Streams
from pytest_whisperq.judging.verdict import Series
from pytest_whisperq.measuring.longform import cut, parted
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts
from pytest_whisperq.measuring.streaming import average_lagging, commit_lags, computing, percentile, stability, token
from pytest_whisperq.measuring.timeline import timeline
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.speech.audio import WINDOW_SECONDS
from pytest_whisperq.streaming import StreamProfile
from pytest_whisperq.streaming.simulate import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedWords:
    """What one model's streams came to.

    texts: offline and streamed, as baseline and candidate. lags: for each 30 s of a recording, the ms after which its
    words were committed, None for those that never were. costs: likewise, the windows' computing and new sound in ms.
    figures: whatever else was measured, by name.
    """

    texts: PairedTexts
    lags: Mapping[str, Sequence[float | None]]
    costs: Mapping[str, Sequence[tuple[float, float]]]
    retractions: int
    figures: Mapping[str, float]


def timelines(streams: Streams, spec: ModelSpec, profile: StreamProfile) -> tuple[Series, ...]:
    """Return of each recording how long after it was said a word was first shown, and how long until committed."""
    series = []
    for recording, events in zip(streams.recordings, streams.streamed(spec, profile).events, strict=True):
        words, over = timeline(events), f"s of {recording.audio.label}"
        for name, moments in (
            ("committed, s after it was said", [one.committed for one in words]),
            ("first shown, s after it was said", [one.shown for one in words]),
        ):
            points = [
                (one.word.end / 1000, (moment - one.word.end) / 1000)
                for one, moment in zip(words, moments, strict=True)
            ]
            series.append(Series(name=name, over=over, points=tuple(points)))
    return tuple(series)


def how_streamed(streams: Streams, candidate: ModelSpec, profile: StreamProfile) -> list[str]:
    """Return notes on how the recordings were streamed: windows, merge, whose word times, threads, what is left out."""
    config = streams.session.config
    source = "as --whisperq-merge-profile says" if config.merge_profile else "as measured of float32"
    times = f"{':'.join(ALIGNER)}'s, which is left out of computing" if streams.is_aligned(candidate) else "its own"
    return [
        (
            f"windows of {streams.windows.window / 1000:g} s every {streams.windows.hop / 1000:g} s, merged by "
            f"TimeAnchoredMerge; {source}, they err within {profile.edge} ms of their ends and times are "
            f"{profile.jitter} ms off; word times are {times}"
        ),
        f"{config.threads} threads; lag counts computing, on a virtual clock",
        *streams.session.recordings.long_form.notes,
    ]


def measure(streams: Streams, spec: ModelSpec, profile: StreamProfile) -> StreamedWords:
    """Return what the streams of a model came to under a merge that counts on ``profile``."""
    session, streamed = streams.session, streams.streamed(spec, profile)
    both = streamed.offline, streamed.transcripts
    texts = pair_texts(session.recordings.long_form, session.recordings.long_normalizer, *both, is_normalized=True)
    ideal, aware = (_lags(streams, streamed, computing=counted) for counted in (False, True))
    return StreamedWords(
        texts=texts,
        lags=aware,
        costs=_costs(streams, streamed),
        retractions=sum(stability(events).retractions for events in streamed.events),
        figures={
            **_lag_figures("commit lag", [lag for group in aware.values() for lag in group]),
            **_lag_figures("commit lag without computing", [lag for group in ideal.values() for lag in group]),
            **_latencies(streams, streamed),
            **_stability_figures(streamed),
            **_computing_figures(streamed),
        },
    )


def _lags(streams: Streams, streamed: Streamed, *, computing: bool) -> dict[str, list[float | None]]:
    """Return the lag of every word said; a backlog makes those that follow late together, so 30 s are one group."""
    groups: dict[str, list[float | None]] = {}
    for number, (recording, events) in enumerate(zip(streams.recordings, streamed.events, strict=True)):
        lags = iter(commit_lags(streams.truth[number], events, streams.normalize(recording), computing=computing))
        for item, words in zip(recording.utterances, streams.reference_words[number], strict=True):
            groups.setdefault(item.cluster, []).extend(islice(lags, len(words)))
    return groups


def _costs(streams: Streams, streamed: Streamed) -> dict[str, list[tuple[float, float]]]:
    costs: dict[str, list[tuple[float, float]]] = {}
    for recording, events in zip(streams.recordings, streamed.events, strict=True):
        before = 0
        for event in events[:-1]:
            name = f"{recording.audio.label}@{int(before / 1000 // WINDOW_SECONDS)}"
            costs.setdefault(name, []).append((event.took, float(event.sent - before)))
            before = event.sent
    return costs


def _latencies(streams: Streams, streamed: Streamed) -> dict[str, float]:
    """Return how late the first and the last word come, and StreamLAAL, each a mean over recordings or utterances.

    StreamLAAL (Papi et al. 2024, arXiv:2406.14177): the LAAL of each utterance, to which words are aligned.
    """
    first, last, lagging = [], [], []
    for number, (events, truth) in enumerate(zip(streamed.events, streams.truth, strict=True)):
        begun = next((event.done for event in events if event.committed), None)
        if begun is None:
            continue
        first.append(begun - truth[0].end)
        committed = len(events[-1].committed)
        last.append(next(one.done for one in events if len(one.committed) == committed) - truth[-1].end)
        lagging += _laal(streams, number, events)
    names = ("first word, s after it was said", "last word, s after it was said", "LAAL, s")
    pairs = zip(names, (first, last, lagging), strict=True)
    return {name: fmean(values) / 1000 for name, values in pairs if values}


def _laal(streams: Streams, number: int, events: Sequence[Event]) -> list[float]:
    """Return the LAAL of each utterance of a recording of which anything was committed, in ms."""
    normalize = streams.normalize(streams.recordings[number])
    reference_words = streams.reference_words[number]
    final = events[-1].committed
    when: list[float] = []
    for event in events:
        when += [event.done] * (len(event.committed) - len(when))
    parts = [" ".join(token(word, normalize) for word in words) for words in reference_words]
    shares = cut(parts, " ".join(token(word, normalize) for word in final))
    lags, place = [], 0
    for item, words, share in zip(streams.recordings[number].utterances, reference_words, shares, strict=True):
        count = len(parted(share))
        begun, length = 1000 * item.audio.offset, 1000 * (item.audio.seconds or 0.0)
        delays = [moment - begun for moment in when[place : place + count]]
        place += count
        if (lag := average_lagging(delays, length, len(words))) is not None:
            lags.append(lag)
    return lags


def _lag_figures(name: str, lags: Sequence[float | None]) -> dict[str, float]:
    """Return mean, median and 95th percentile in s, and of how many of the words they are."""
    known = [lag / 1000 for lag in lags if lag is not None]
    share = {f"{name}, % of words": 100 * len(known) / max(len(lags), 1)}
    if not known:
        return share
    return {
        f"{name}, mean s": fmean(known),
        f"{name}, median s": percentile(known, 0.5),
        f"{name}, 95th percentile s": percentile(known, 0.95),
        **share,
    }


def _stability_figures(streamed: Streamed) -> dict[str, float]:
    """Return how restless all streams were together."""
    measurements = [stability(events) for events in streamed.events]
    words = [max(len(events[-1].committed), 1) for events in streamed.events]
    minutes = [events[-1].sent / 60_000 for events in streamed.events]
    return {
        "normalized erasure": _weighted([one.erasure for one in measurements], words),
        "unstable partial words": _weighted([one.unstable for one in measurements], words),
        "flicker, words a minute": _weighted([one.flicker for one in measurements], minutes),
    }


def _computing_figures(streamed: Streamed) -> dict[str, float]:
    measurements = [
        computing(events, sum(chunk.end - chunk.start for chunk in recording.chunks))
        for recording, events in zip(streamed.decoded, streamed.events, strict=True)
    ]
    lengths = [float(events[-1].sent) for events in streamed.events]
    return {
        "RTF of streaming": _weighted([one.factor for one in measurements], lengths),
        "RTF of a window, 95th percentile": max(one.window_95 for one in measurements),
        "largest backlog, s": max(one.backlog for one in measurements),
        "times each second is decoded": _weighted([one.redecoded for one in measurements], lengths),
    }


def _weighted(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
