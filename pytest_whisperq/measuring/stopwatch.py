"""Times the models of a run against each other, stage by stage; each is loaded once, and a pair is timed on and on."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from pytest_whisperq.backends import Clip, Staged
from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.decoding.errors import decode_errors
from pytest_whisperq.measuring.timing import (
    PER_CLIP,
    SHORTEST,
    Round,
    Spent,
    Timing,
    Work,
    enough,
    error_at,
    first_kept,
    looks,
    measure,
    rounds,
    seconds,
)
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import Corpus, Utterance, subset
from pytest_whisperq.system.errors import ConfigError, DecodeError

Stage = Literal["encoder", "decoder", "pipeline", "first token"]
STAGES: tuple[Stage, ...] = ("encoder", "decoder", "pipeline")
"""What can be gated: a 30 s window through the encoder, the baseline's tokens through the decoder, all of it freely."""

FIRST: Stage = "first token"
"""What is reported besides: everything up to the first token."""

CLIPS = 4
"""Clips that take turns; an encoder, to which every window is alike, has one."""

REPLAYED = 32
"""Tokens that a model of random weights is made to say about a clip: about ten seconds of speech."""

REPORTED = 20
"""Undisturbed rounds up to which a stage is timed that is not gated but reported."""

ROUNDS_PER_CLIP = 2 * PER_CLIP
"""Rounds that a budget should have for each clip: twice what bounds anything, for some are disturbed."""

FEWEST_CLIPS = 2
"""Clips that take turns however few rounds a budget has: a candidate may gain on one and lose on another."""

PATIENCE = 4
"""How many times its budget a gated stage may take until it has as many rounds as bound anything."""

LOADED = 3
"""Models kept in memory: a candidate and the two baselines it may be compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayClip:
    """A clip, its seconds, and what is replayed about it: the tokens of a baseline."""

    clip: Clip
    seconds: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model in memory, what it executes and how many seconds it took to load."""

    transcriber: Any
    compute_type: str
    seconds: float


def _naming(*specs: ModelSpec) -> AbstractContextManager[None]:
    """Say whose error it is when one of ``specs`` fails."""
    names = " or ".join(map(str, specs))
    return decode_errors(f"{names} failed while it was timed", where=f"whisperq_speedup of {names}")


class Stopwatch:
    """The timings of a run. One clip of one window at a time, as in dictation; features are made beforehand."""

    def __init__(self, decoder: Decoder, corpus: Corpus, config: GateConfig) -> None:
        self._decoder = decoder
        self._corpus = corpus
        self._config = config
        self._loaded: dict[ModelSpec, Loaded] = {}
        self._imported: set[str] = set()
        self._replay_clips: dict[ModelSpec, tuple[ReplayClip, ...]] = {}
        self._counts: dict[tuple[ModelSpec, ModelSpec], list[int]] = {}
        self._done: dict[tuple[ModelSpec, ModelSpec, Stage], list[Round]] = {}
        self._spent: dict[tuple[ModelSpec, ModelSpec, Stage], float] = {}
        self._running: dict[tuple[ModelSpec, ModelSpec, Stage], Iterator[Round]] = {}
        self._clips: dict[tuple[ModelSpec, ModelSpec, Stage], int] = {}

    def load(self, spec: ModelSpec) -> Loaded:
        """Load a model that can be timed, or return it from before."""
        while spec not in self._loaded and len(self._loaded) >= LOADED:
            self._forget(next(iter(self._loaded)))
        loaded = self._loaded.pop(spec, None) or self._load(spec)
        self._loaded[spec] = loaded  # the last one is the one that was asked for last
        return loaded

    def _load(self, spec: ModelSpec) -> Loaded:
        artifact = self._decoder.store.intact(spec)
        if spec.backend not in self._imported:  # the runtime's own start is not the model's
            self._decoder.load(artifact)
            self._imported.add(spec.backend)
        start = time.perf_counter()
        transcriber = self._decoder.load(artifact)
        seconds = time.perf_counter() - start
        if not isinstance(transcriber, Staged):
            raise ConfigError(
                f"the stages of {spec.backend} cannot be timed apart",
                where="whisperq_speedup",
                remedy="give its transcriber prepare, encode and replay (pytest_whisperq.backends.Staged)",
            )
        return Loaded(transcriber=transcriber, compute_type=transcriber.compute_type, seconds=seconds)

    def _forget(self, spec: ModelSpec) -> None:
        del self._loaded[spec]
        for pair in [pair for pair in self._running if spec in pair]:  # what they ran is in memory too
            del self._running[pair]

    def replay_clips(self, baseline: ModelSpec) -> tuple[ReplayClip, ...]:
        """Return the clips on which models are timed against a baseline, and its words, which they have to replay.

        A seeded sample of the clips about which it says anything.

        Raises `DecodeError` where it says nothing about any.
        """
        if baseline not in self._replay_clips:
            clips: list[ReplayClip] = []
            corpus = replace(self._corpus, utterances=self._corpus.speech)
            for item in subset(corpus, 4 * CLIPS, self._config.seed).utterances:
                if len(clips) < CLIPS and (one := self._hear(baseline, item)).tokens:
                    clips.append(one)
            if not clips:
                raise DecodeError(
                    "says nothing about the clips it is timed on, or its backend returns no tokens",
                    where=str(baseline),
                    remedy="check model and language",
                )
            self._replay_clips[baseline] = tuple(clips)
        return self._replay_clips[baseline]

    def _hear(self, baseline: ModelSpec, item: Utterance) -> ReplayClip:
        samples = audio.load(item.audio)
        clip, tokens = Clip(samples=samples, language=item.language or "en"), tuple(range(REPLAYED))
        if not baseline.source.is_random:
            clip = Clip(samples=samples, language=item.language)
            with _naming(baseline):
                hypothesis = self.load(baseline).transcriber.transcribe([clip])[0]
            clip, tokens = replace(clip, language=item.language or hypothesis.language or "en"), hypothesis.tokens
        return ReplayClip(clip=clip, seconds=len(samples) / audio.SAMPLE_RATE, tokens=tokens)

    def counts(self, spec: ModelSpec, baseline: ModelSpec) -> list[int]:
        """Return how many tokens a model says by itself about each of the clips of a baseline."""
        clips = self.replay_clips(baseline)
        if spec.source.is_random:
            return [len(one.tokens) for one in clips]
        if (spec, baseline) not in self._counts:
            with _naming(spec):
                model = self.load(spec).transcriber
                self._counts[spec, baseline] = [len(model.transcribe([one.clip])[0].tokens) for one in clips]
        return self._counts[spec, baseline]

    def time(
        self,
        baseline: ModelSpec,
        candidate: ModelSpec,
        stage: Stage,
        *,
        is_clear: Callable[[Timing], bool] | None = None,
        of: Callable[[Round], Spent] = seconds,
    ) -> Timing:
        """Run rounds until the verdict on their speedup ``is_clear`` or the budget is spent; without it, for a report.

        What is compared of each round is that which ``of`` takes; seconds that pass by default.

        Where rounds take long, fewer clips take turns, and a gate has as many rounds as bound anything though they take
        up to `PATIENCE` budgets. Every look may err, so that each is at a confidence that leaves the error of all
        together where it should be.
        """
        pair = (baseline, candidate, stage)
        done, config = self._done.setdefault(pair, []), self._config
        budget = config.timing_budget if is_clear else config.timing_budget / 4
        error = 1 - config.confidence
        if pair not in self._clips:
            self._running[pair] = self._start(*pair)
        clips = self._clips[pair]
        needed = clips * enough(clips) if is_clear else 1
        for number, size in enumerate(looks(clips), 1):
            # A report takes all that a gate has timed, and asks for little more by itself.
            self._advance(pair, size if is_clear or size <= REPORTED else 0, budget, needed)
            # Not those beyond, which another gate may have asked for because it liked or disliked what it saw.
            timing = measure(first_kept(done, size), confidence=1 - error_at(number, error), of=of)
            is_over = self._spent[pair] >= budget and len(first_kept(done, size)) == len(done)
            is_over = is_over or (is_clear is None and size >= REPORTED and len(first_kept(done, size)) == len(done))
            if is_over or (is_clear is not None and is_clear(timing)):
                break
        return replace(timing, speedup=replace(timing.speedup, confidence=config.confidence))

    def _advance(self, pair: tuple[ModelSpec, ModelSpec, Stage], size: int, budget: float, needed: int) -> None:
        """Run rounds until ``size`` of them were left undisturbed, or ``budget`` seconds are spent; one at least.

        Of undisturbed ones ``needed`` at least, though they take `PATIENCE` budgets.
        """
        done = self._done[pair]
        kept = sum(not one.disturbed for one in done)
        self._spent.setdefault(pair, 0.0)
        with _naming(pair[0], pair[1]):
            while kept < size and (self._spent[pair] < budget * (PATIENCE if kept < needed else 1) or not done):
                if pair not in self._running:
                    self._running[pair] = self._start(*pair)
                start = time.perf_counter()
                try:
                    done.append(next(self._running[pair]))
                except BaseException:
                    del self._running[pair]  # a generator that has raised has no more to give
                    raise
                self._spent[pair] += time.perf_counter() - start
                kept += not done[-1].disturbed
                self._decoder.progress(f"{pair[1]} is timed against {pair[0]}, {pair[2]}", kept, 0)

    def _start(self, baseline: ModelSpec, candidate: ModelSpec, stage: Stage) -> Iterator[Round]:
        """Warm both up: what a runtime compiles at first, or caches by the length of a text, is there then.

        How long that takes says how many clips a budget is enough for.
        """
        clips = self.replay_clips(baseline)
        with _naming(baseline, candidate):
            first, second = (self.work(spec, clips, stage) for spec in (baseline, candidate))
            calls = range(len(clips)) if stage in ("decoder", "pipeline") else range(2)
            last = 0.0, 0.0
            for work in (second, first):
                for number in calls:
                    start = time.perf_counter()
                    work(number % len(clips))
                last = last[1], max(time.perf_counter() - start, 1e-4)
        repeats = max(1, round(SHORTEST / last[1]))
        pair = (baseline, candidate, stage)
        if pair not in self._clips:
            affordable = int(self._config.timing_budget / (2 * repeats * sum(last) * ROUNDS_PER_CLIP))
            self._clips[pair] = 1 if stage == "encoder" else min(len(clips), max(FEWEST_CLIPS, affordable))
        return rounds(first, second, clips=self._clips[pair], seed=self._config.seed, repeats=repeats)

    def work(self, spec: ModelSpec, clips: Sequence[ReplayClip], stage: Stage) -> Work:
        """Return what a model does in a round of a stage."""
        model, settle = self.load(spec).transcriber, self._decoder.settle
        settle(model)
        features = [model.prepare(one.clip) for one in clips]
        encodings = [model.encode(one) for one in features] if stage == "decoder" else []

        def run_encoder(number: int) -> None:
            model.encode(features[number])

        def run_decoder(number: int) -> None:
            model.replay(encodings[number], clips[number].clip, clips[number].tokens)

        def run_replay(number: int, count: int | None = None) -> None:
            encoded = model.encode(model.prepare(clips[number].clip))
            model.replay(encoded, clips[number].clip, clips[number].tokens[:count])

        def run_pipeline(number: int) -> None:
            model.transcribe([clips[number].clip])

        whole = run_replay if spec.source.is_random else run_pipeline  # random weights never end by themselves
        works: dict[str, Work] = {"encoder": run_encoder, "decoder": run_decoder, "pipeline": whole}
        run = works.get(stage, partial(run_replay, count=1))

        def run_settled(number: int) -> None:
            settle(model)
            run(number)

        return run_settled
