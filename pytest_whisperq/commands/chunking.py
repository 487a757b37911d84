"""``chunking``: compare two ways to decode a long recording, overlapping chunks in batches, or window after window."""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_whisperq.backends import _whisper
from pytest_whisperq.commands import add, add_options, given, named, progress, say, tell_repairs, typed, warn_of_memory
from pytest_whisperq.config import values
from pytest_whisperq.config.choices import COUNTED, Metric
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Progress
from pytest_whisperq.measuring.metric import choose_metric
from pytest_whisperq.measuring.scores import ErrorCount, as_compared, count_errors, error_rate
from pytest_whisperq.session import Session, silent
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import WINDOW_SECONDS
from pytest_whisperq.speech.corpus.longform import whole
from pytest_whisperq.system.printing import printable

MODEL = "transformers:float32"
MODES = ("chunked", "sequential")

_OPTIONS = named("model", "long-form", "normalizer", "metric", "threads", "cache-dir")


def register(commands: Any) -> None:
    """Add the command."""
    text = "decode long recordings in overlapping chunks and window after window, and compare words and time"
    parser = add(commands, "chunking", text, _run)
    add_options(parser, _OPTIONS)
    seconds = typed(values.Range(1, 30, "a number of seconds from 1 to 30"))
    parser.add_argument(
        "--chunk-seconds", metavar="S", type=seconds, default=WINDOW_SECONDS, help="length of a chunk (30)"
    )
    size = typed(values.whole(1, "a whole number, 1 or more"))
    parser.add_argument("--batch-size", metavar="N", type=size, default=8, help="chunks decoded at once (8)")


def _run(options: argparse.Namespace) -> int:
    asked = given(options, _OPTIONS)
    found = compare(asked, chunk_seconds=options.chunk_seconds, batch_size=options.batch_size, progress=progress())
    report(list(found), say)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One recording decoded both ways, in the order of `MODES`.

    ``duration`` and ``seconds`` (of computing) in seconds; ``counts`` are the errors against the reference by
    ``metric``, and ``apart`` those of the sequential text against the chunked one.
    """

    recording: str
    duration: float
    metric: Metric
    counts: tuple[ErrorCount, ErrorCount]
    seconds: tuple[float, float]
    apart: ErrorCount


def compare(
    options: Mapping[str, str | None], *, chunk_seconds: float, batch_size: int, progress: Progress = silent
) -> Iterator[Comparison]:
    """Yield a comparison for each long recording of ``options`` (those of a gate run: ``whisperq_long_form`` …).

    Which way goes first alternates, after a short recording that warms up: what drifts hits both alike.
    """
    session = Session(resolve({**options, "whisperq_candidate": MODEL}), progress)
    warn_of_memory(session)
    transcriber: Any = session.decoder.load(session.store.intact(session.baseline_spec))
    tell_repairs(session)
    ways: dict[str, Callable[..., str]] = {
        "chunked": partial(transcriber.transcribe_chunked, chunk_seconds=chunk_seconds, batch_size=batch_size),
        "sequential": transcriber.transcribe_long,
    }
    metric = session.config.metric or choose_metric(session.recordings.long_form)
    recordings = whole(session.recordings.long_form)
    for number, recording in enumerate(recordings):
        progress("decoding both ways", number, len(recordings))
        samples = audio.load(recording.audio)
        texts, took = {}, {}
        for mode in MODES if number % 2 else reversed(MODES):
            with _whisper.quiet_libraries():
                if not number:
                    ways[mode](samples[: 5 * audio.SAMPLE_RATE], recording.language)
                begun = time.perf_counter()
                text = ways[mode](samples, recording.language)
                took[mode] = time.perf_counter() - begun
                texts[mode] = session.recordings.long_normalizer(text, recording.language)
        reference = session.recordings.long_normalizer(
            " ".join(item.reference for item in recording.utterances), recording.language
        )
        first = recording.utterances[0]
        reference = as_compared(reference, first, metric)
        texts = {mode: as_compared(text, first, metric) for mode, text in texts.items()}
        yield Comparison(
            recording=recording.audio.label,
            duration=len(samples) / audio.SAMPLE_RATE,
            metric=metric,
            counts=(
                count_errors(reference, texts["chunked"], metric),
                count_errors(reference, texts["sequential"], metric),
            ),
            seconds=(took["chunked"], took["sequential"]),
            apart=count_errors(texts["chunked"], texts["sequential"], metric),
        )


def report(comparisons: Sequence[Comparison], write: Callable[[str], object]) -> None:
    """Write the comparisons as a table, and what they come to together."""
    width = max(len("recording"), *(len(printable(one.recording)) for one in comparisons))
    write(f"{'recording':{width}}  seconds  mode        {comparisons[0].metric.upper()}, %    RTFx")
    for one in comparisons:
        for mode, count, seconds in zip(MODES, one.counts, one.seconds, strict=True):
            rate = 100 * (error_rate([count]) or 0.0)
            name = printable(one.recording)
            write(f"{name:{width}}  {one.duration:7.1f}  {mode:10}  {rate:6.2f}  {one.duration / seconds:6.1f}")
    chunked, sequential = (sum(one.seconds[mode] for one in comparisons) for mode in (0, 1))
    apart, units = error_rate([one.apart for one in comparisons]), COUNTED[comparisons[0].metric]
    differ = (
        "have nothing to compare" if apart is None else f"differ in {100 * apart:.2f} % of the chunked text's {units}"
    )
    write(f"sequential took {sequential / chunked:.2f} times as long as chunked; the two {differ}")
    write("times are one run's on this machine; gate with the way you ship")
