"""Streams of microphones, on a model that hears tones as words."""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from tone_model import NAMES, hear, install, say

from pytest_whisperq.backends import TimedWord
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.playground import live
from pytest_whisperq.playground.live import Live, LiveStream, Microphone, mono
from pytest_whisperq.playground.models import HeardWords, Models
from pytest_whisperq.streaming import StreamProfile, StreamWord
from pytest_whisperq.streaming.simulate import windows
from pytest_whisperq.system.errors import CorpusError, StreamError

PROFILE = StreamProfile(window=3000, hop=500)
TEXT = NAMES + NAMES[::-1]  # juliett is said twice in a row


def words(heard: Sequence[TimedWord], begun: int) -> tuple[StreamWord, ...]:
    return tuple(StreamWord(one.text, begun + round(1000 * one.start), begun + round(1000 * one.end)) for one in heard)


def decode(stream: LiveStream, took: Sequence[float] = (10.0, 10.0)) -> list[tuple[int, int, bool]]:
    """Decode all that waits; each model takes so many ms."""
    spans = []
    while window := stream.take():
        heard = words(hear(window.samples), window.start)
        stream.heard(window, [HeardWords(words=heard, took=one) for one in took])
        spans.append((window.start, window.end, window.final))
    return spans


def pieces(samples: Any, seed: int = 0) -> list[Any]:
    """Cut a sound where no window ends."""
    cuts = sorted(np.random.default_rng(seed).choice(len(samples), 40, replace=False))
    return [samples[start:end] for start, end in pairwise([0, *cuts, len(samples)])]


def test_a_stream_is_heard_in_the_windows_of_a_recording() -> None:
    stream, sound, spans = LiveStream(PROFILE, None), say(TEXT[:8])[:-1000], []
    for piece in pieces(sound):
        stream.feed(piece, 16_000)
        spans += decode(stream)
    stream.stop()
    spans += decode(stream)
    expected = windows(len(sound) // 16, PROFILE)
    assert [(start, end) for start, end, _ in spans] == expected
    assert [final for *_, final in spans] == [False] * (len(expected) - 1) + [True]


@pytest.mark.parametrize(
    ("rate", "channels", "kind"), [(16_000, 1, "f4"), (48_000, 2, "i2"), (44_100, 1, "i2"), (8_000, 2, "i4")]
)
def test_any_microphone_is_heard_to_its_end_without_a_seam(rate: int, channels: int, kind: str) -> None:
    sound = np.repeat(say(TEXT, rate)[:, None], channels, axis=1)
    if kind[0] == "i":
        sound = (sound * np.iinfo(kind).max).astype(kind)
    stream = LiveStream(PROFILE, None)
    for piece in pieces(sound):
        stream.feed(piece, rate)
        decode(stream)
    assert not stream.is_over
    stream.stop()
    decode(stream)
    view = stream.view()
    assert view.is_over
    assert [side.committed for side in view.sides] == [" ".join(TEXT)] * 2
    assert [side.tentative for side in view.sides] == ["", ""]
    assert view.seconds == pytest.approx(len(TEXT) * 0.6, abs=0.01)


def test_a_resampled_stream_is_the_resampled_recording() -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000).astype(np.float32)
    microphone = Microphone()
    parts = [microphone.push(piece, 48_000) for piece in pieces(sound)]
    whole = Microphone()
    expected = np.concatenate([whole.push(sound, 48_000), whole.flush()])
    assert np.concatenate([*parts, microphone.flush()]) == pytest.approx(expected, abs=1e-6)
    assert len(expected) == 16_000


def test_another_microphone_in_the_middle_loses_nothing() -> None:
    microphone = Microphone()
    parts = [microphone.push(np.ones(rate, np.float32) / 2, rate) for rate in (48_000, 16_000, 44_100)]
    assert sum(map(len, [*parts, microphone.flush()])) == pytest.approx(48_000, abs=2)


def test_silence_stays_silence() -> None:
    stream = LiveStream(PROFILE, None)
    stream.feed(np.zeros((48_000, 2), np.int16), 48_000)
    window = stream.take()
    assert window is not None
    assert (window.samples == 0).all()
    assert mono(np.full((4, 2), -32768, np.int16)).tolist() == [-1.0] * 4


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.array([0.1, np.nan]), 16_000, "not numbers"),
        (np.array([[np.inf, 0.0]]), 48_000, "not numbers"),
        (np.zeros(4), 3, "3 samples per second"),
    ],
)
def test_what_no_microphone_gives_is_refused(samples: Any, rate: int, message: str) -> None:
    with pytest.raises((CorpusError, StreamError), match=message):
        LiveStream(PROFILE, None).feed(samples, rate)


def test_a_stopped_stream_takes_no_more_and_an_empty_one_is_over_at_once() -> None:
    stream = LiveStream(PROFILE, None)
    stream.feed(np.zeros(16), 16_000)
    stream.stop()
    stream.feed(say(TEXT), 16_000)
    assert stream.take() is None
    assert (stream.is_over, stream.view().seconds) == (True, 0.001)


def test_lag_and_backlog_are_those_of_each_model_alone() -> None:
    stream = LiveStream(PROFILE, None)
    stream.feed(say(TEXT), 16_000)
    stream.stop()
    decode(stream, took=(100.0, 700.0))  # a hop is 500 ms
    quick, slow = stream.view().sides
    assert max(wait for _, wait in quick.backlog) == 0.0
    waits = [wait for _, wait in slow.backlog]
    assert waits[:4] == pytest.approx([0.0, 0.2, 0.4, 0.6])
    assert len(quick.lags) == len(slow.lags) == len(TEXT)
    assert 0.5 < np.median([lag for _, lag in quick.lags]) < 2.0
    assert slow.lags[-1][1] - quick.lags[-1][1] == pytest.approx(waits[-1] + 0.6, abs=0.01)


def test_the_naive_merge_of_the_same_windows_cannot_hold_the_text() -> None:
    stream = LiveStream(PROFILE, None)
    stream.feed(say(TEXT), 16_000)
    stream.stop()
    decode(stream)
    side = stream.view().sides[0]
    assert side.committed == " ".join(TEXT)
    assert side.naive.endswith("charlie bravo alpha")
    assert len(side.naive.split()) > 1.5 * len(TEXT)


def test_a_long_stream_keeps_no_more_sound_than_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST", 30)
    stream = LiveStream(PROFILE, None)
    for _ in range(40):
        stream.feed(np.zeros(16_000), 16_000)
        decode(stream)
        assert len(stream._samples) <= 16 * (PROFILE.window + PROFILE.hop)
    assert stream.is_over
    assert stream.view().seconds == 30.0


@pytest.fixture
def models(start_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch) -> Models:
    install(monkeypatch, misheard={"delta": "dalton"})
    return Models(start_run().session)


def over(stream: LiveStream) -> LiveStream:
    for _ in range(500):
        if stream.is_over:
            return stream
        time.sleep(0.01)
    raise AssertionError("the stream does not end")


def test_streams_are_decoded_in_turn_and_never_mix(models: Models) -> None:
    said = TEXT, TEXT[3:15]
    both = Live(models)
    names = [both.open(None) for _ in said]
    sounds = [pieces(say(text)) for text in said]
    threads = [threading.Thread(target=feed, args=(both, *pair)) for pair in zip(names, sounds, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, text in zip(names, said, strict=True):
        sides = over(both.stream(name)).view().sides
        assert [side.committed for side in sides] == [" ".join(text), " ".join(text).replace("delta", "dalton")]
    both.close()


def feed(streams: Live, name: str, sound: Sequence[Any]) -> None:
    for piece in sound:
        streams.stream(name).feed(piece, 16_000)
        streams.wake()
    streams.stream(name).stop()
    streams.wake()


def test_a_model_that_fails_ends_its_stream_with_the_reason(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise CorpusError("fails <b>here</b>", where="the model", remedy="none")

    monkeypatch.setattr(models, "listen", fail)
    streams = Live(models)
    name = streams.open(None)
    streams.stream(name).feed(say(TEXT), 16_000)
    streams.wake()
    view = over(streams.stream(name)).view()
    streams.close()
    assert view.error == "the model: fails <b>here</b>; none"


def test_who_goes_away_is_stopped_and_forgotten(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "IDLE", 0.0)
    streams = Live(models)
    name = streams.open(None)
    streams.stream(name).feed(say(TEXT[:3]), 16_000)
    streams.wake()
    stream = over(streams.stream(name))
    assert stream.view().sides[0].committed == " ".join(TEXT[:3])
    monkeypatch.setattr(live, "_KEPT", 0.0)
    for _ in range(500):
        streams.wake()
        time.sleep(0.01)
        if name not in streams._streams:
            break
    with pytest.raises(StreamError, match="no such stream"):
        streams.stream(name)
    streams.close()


def test_so_many_streams_and_known_languages(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    streams = Live(models)
    with pytest.raises(StreamError, match="'tlh' is no language of the model"):
        streams.open("tlh")
    streams.open(None)
    with pytest.raises(StreamError, match="1 are open already"):
        streams.open(None)
    streams.close()
