"""What a run works on: its recordings, its models and what they say, each obtained once and kept."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeVar

from pytest_whisperq.backends import Task, TimedText, get_backend
from pytest_whisperq.config.candidates import Candidate, explicit_candidate
from pytest_whisperq.config.choices import Metric
from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.decoding.decoder import Decoder, Progress
from pytest_whisperq.decoding.engine import Engine, InProcess
from pytest_whisperq.decoding.transcript_cache import (
    Known,
    TranscriptCache,
    TranscriptSet,
    uncached_transcripts,
)
from pytest_whisperq.decoding.wanted import Enough
from pytest_whisperq.measuring.longform import share_out
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts
from pytest_whisperq.models.languages import is_multilingual
from pytest_whisperq.models.random_weights import find_source
from pytest_whisperq.models.ready_made import folder_of
from pytest_whisperq.models.room import build_bytes, shortages
from pytest_whisperq.models.source import Folder, ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact, ArtifactStore, refuse_unfit
from pytest_whisperq.session.recordings import Recordings
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.speech.corpus.longform import whole
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.system.errors import LeftToJudgingError, WhisperqError
from pytest_whisperq.system.machine import available_memory

T = TypeVar("T")

_READ = (
    "engine_is_there",
    "recordings.substitutions",
    "recordings.corpus",
    "source",
    "baseline_source",
    "fit",
    "recordings.normalizer",
    "recordings.facts",
    "ready_made",
)
"""What of a session may be refused, in the order in which it is read."""


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model of a run: built and decoded when its attributes are first asked for."""

    session: "Session"
    candidate: Candidate
    is_baseline: bool = False

    @property
    def spec(self) -> ModelSpec:
        """What is built."""
        return self.session.baseline_spec if self.is_baseline else self.session.spec(self.candidate)

    @property
    def is_multilingual(self) -> bool:
        """Whether it knows several languages; an English-only model detects none."""
        return is_multilingual(self.spec.source)

    @property
    def is_simulated(self) -> bool:
        """Whether its precision is only imitated: time and memory are not those of it."""
        return self.spec.precision in get_backend(self.spec.backend).simulated

    @property
    def artifact(self) -> Artifact:
        """The built model: directory, size, identity. Its files are here."""
        return self.session.built(self.spec, here=True)

    @property
    def transcripts(self) -> TranscriptSet:
        """What it says about the corpus."""
        return self.session.transcripts(self.spec)


def _engine(name: str, decoder: Decoder) -> Engine:
    """Return what decodes; Ray is not imported before it does."""
    if name == "process":
        return InProcess(decoder)
    from pytest_whisperq.decoding.ray_engine import RayEngine

    return RayEngine(name, decoder)


class Session:
    """One run's recordings, models and transcripts, each obtained on first use and kept: every gate shares them."""

    def __init__(
        self,
        config: GateConfig,
        progress: Progress = silent,
        *,
        part: Callable[[Corpus], Corpus] | None = None,
        repairs: list[str] | None = None,
    ) -> None:
        """Begin a run; ``part`` says what of a corpus is evaluated, where that is not what its models can hear.

        ``repairs`` is a list that several sessions of a run share, see there.
        """
        self.config = config
        self.repairs = [] if repairs is None else repairs
        """What of the cache was damaged and has been made again, a sentence each."""
        self.progress = progress
        self.recordings = Recordings(
            config, lambda: (self.source, self.baseline_source), part, progress, self.repairs.append
        )
        self.store = ArtifactStore(
            config.cache_dir,
            on_build=lambda spec: progress(f"{spec} is being built", 0, 0),
            calibration=lambda: self.recordings.calibration,
            on_repair=self.repairs.append,
        )
        self.decoder = Decoder(
            self.store,
            threads=config.threads,
            batch=config.decode_batch,
            progress=progress,
            allow_fallback=config.allow_fallback,
        )
        self._engine = _engine(config.engine, self.decoder)
        self._transcripts = TranscriptCache(
            config.cache_dir,
            self.decoder,
            self._engine,
            self.repairs.append,
            is_complete=bool(config.merge),
        )
        self._decoded: dict[tuple[ModelSpec, Task], TranscriptSet] = {}
        self._unbuilt: dict[ModelSpec, WhisperqError] = {}
        self._failed: dict[tuple[ModelSpec, Task], WhisperqError] = {}
        self._long: dict[ModelSpec, TranscriptSet] = {}
        self._timed: dict[ModelSpec, tuple[TranscriptSet, list[TimedText]]] = {}
        self._paired: dict[Candidate, PairedTexts] = {}
        self._once: dict[Callable[[Session], Any], Any] = {}

    def once(self, make: Callable[["Session"], T]) -> T:
        """Return what ``make`` makes of this session, which it is asked for once: what gates share beside all this.

        ``session.once(Streams)`` is the same object for every gate of the run.
        """
        if make not in self._once:
            self._once[make] = make(self)
        made: T = self._once[make]
        return made

    def at(self, confidence: float) -> "Session":
        """Return this run at another confidence: with the same corpus, models and transcripts, obtained once."""
        other = copy(self)
        other.config = replace(self.config, confidence=confidence)
        other._once = {}
        return other

    def read(self) -> None:
        """Read the corpus, find the models and probe every recording; raise a `WhisperqError` for what is unusable."""
        for name in (*_READ, *(("recordings.calibration",) if self.recordings.calibrates else ())):
            attrgetter(name)(self)

    @property
    def corpus(self) -> Corpus:
        """What is evaluated, see `Recordings.corpus`."""
        return self.recordings.corpus

    @property
    def normalizer(self) -> Normalizer:
        """What texts of the corpus go through before they are compared, see `Recordings.normalizer`."""
        return self.recordings.normalizer

    @property
    def metric(self) -> Metric:
        """What is counted where a gate does not say, see `Recordings.metric`."""
        return self.recordings.metric

    @cached_property
    def engine_is_there(self) -> None:
        """Nothing; raises `ConfigError` where what is to decode cannot be reached, unless the run only merges."""
        if not self.config.merge:
            self._engine.check()

    @cached_property
    def fit(self) -> None:
        """Nothing; raises `BuildError` for a checkpoint that the backend of a candidate or baseline cannot run."""
        for candidate in self.config.candidates:
            if not (candidate.missing or candidate.location):
                refuse_unfit(self.spec(candidate))
        refuse_unfit(self.baseline_spec)

    @cached_property
    def source(self) -> SourceModel:
        """The checkpoint candidates are built from."""
        return find_source(self.config.model, "--whisperq-model", self.config.cache_dir)

    @cached_property
    def baseline_source(self) -> SourceModel:
        """The checkpoint of the baseline; usually the same."""
        if self.config.baseline_model == self.config.model:
            return self.source
        return find_source(self.config.baseline_model, "--whisperq-baseline", self.config.cache_dir)

    @property
    def baseline_spec(self) -> ModelSpec:
        """What candidates are judged against."""
        name = self.config.baseline
        return ModelSpec(
            backend=name.backend, precision=name.precision, source=self.baseline_source, device=name.device
        )

    @cached_property
    def _folders(self) -> dict[Candidate, Folder]:
        """Where the ready-made candidates lie."""
        return {
            one: folder_of(
                get_backend(one.backend), one.precision, one.location, "--whisperq-candidate", is_asked=one.is_asked
            )
            for one in self.config.candidates
            if one.location
        }

    @cached_property
    def ready_made(self) -> dict[Candidate, Artifact]:
        """The ready-made candidates, whose files are linked into the cache.

        Raises `BuildError` or `DecodeError` for one that cannot be what the run is about, or cannot be loaded: nobody
        has loaded it here, and an hour of decoding the baseline would come first.
        """
        artifacts = {candidate: self.store.get(self.spec(candidate)) for candidate in self._folders}
        for artifact in artifacts.values():
            known = self.known(artifact.spec)
            if self.config.merge:  # each shard has loaded it
                continue
            if known.is_empty:
                self.decoder.load(artifact)
            else:
                self.decoder.attest(artifact.spec, known.compute_type)
        return artifacts

    def spec(self, candidate: Candidate) -> ModelSpec:
        """Return the model a candidate stands for."""
        return ModelSpec(
            backend=candidate.backend,
            precision=candidate.precision,
            source=self.source,
            folder=self._folders.get(candidate),
            ignored=candidate.ignored,
            device=candidate.device,
        )

    @property
    def baseline(self) -> Model:
        """A handle on the baseline."""
        return Model(self, self.config.baseline, is_baseline=True)

    def model(self, candidate: Candidate) -> Model:
        """Return a handle on a candidate."""
        return Model(self, candidate)

    def build(self, backend: str, precision: str) -> Artifact:
        """Build any pair of backend and precision from the run's checkpoint."""
        return self.store.get(self.spec(explicit_candidate(f"{backend}:{precision}", "whisperq_build")))

    @property
    def shortages(self) -> list[str]:
        """What a run that builds its models now has too little memory for, a warning for each checkpoint.

        A model that is in the cache is not built.
        """
        candidates = [self.spec(one) for one in self.config.candidates if not (one.missing or one.location)]
        asked = dict.fromkeys(one for spec in (*candidates, self.baseline_spec) for one in self.store.lineage(spec))
        available = available_memory()
        if available is None or all((build_bytes(spec) or 0) <= available for spec in asked):
            return []
        return shortages([spec for spec in asked if not self.store.built(spec)], available)

    def built(self, spec: ModelSpec, *, here: bool = False) -> Artifact:
        """Return the built model; what failed fails again, for an hour of building is not repeated for each gate.

        Of a model that another machine has built (``--whisperq-merge``) there are files only where they have to be
        ``here``.
        """
        if spec in self._unbuilt:
            raise self._unbuilt[spec]
        try:
            return (None if here else self.store.built(spec)) or self.store.get(spec)
        except WhisperqError as error:
            self._unbuilt[spec] = error
            raise

    def transcripts(self, spec: ModelSpec, task: Task = "transcribe") -> TranscriptSet:
        """Return what a model says about the corpus, building and decoding at most once.

        Asked to translate, about the part of it that has translations.
        """
        self._refuse_in_a_shard()
        if (spec, task) not in self._decoded:
            corpus = self.corpus if task == "transcribe" else self.recordings.translated
            self._decoded[spec, task] = self._transcribe(spec, corpus, None, task)
        return self._decoded[spec, task]

    def decode_share(self, spec: ModelSpec) -> TranscriptSet:
        """Return what a model says about the shard of the corpus that this run decodes."""
        if self.config.shard is None:
            raise ValueError("this run is no shard")
        if (spec, "transcribe") not in self._decoded:
            self._decoded[spec, "transcribe"] = self._transcribe(spec, self.recordings.share(*self.config.shard), None)
        return self._decoded[spec, "transcribe"]

    def leading(self, spec: ModelSpec, corpus: Corpus, enough: Enough) -> TranscriptSet:
        """Return what a model says about the first utterances of ``corpus``, the run's in another order."""
        self._refuse_in_a_shard()
        return self._transcribe(spec, corpus, enough)

    def _refuse_in_a_shard(self) -> None:
        if self.config.shard:
            raise LeftToJudgingError(
                "a shard has no transcripts of the whole corpus", remedy="the run that judges all shards has them"
            )

    def _transcribe(
        self, spec: ModelSpec, corpus: Corpus, enough: Enough | None, task: Task = "transcribe"
    ) -> TranscriptSet:
        if (spec, task) in self._failed:
            raise self._failed[spec, task]
        self.built(spec)
        try:
            return self._transcripts.transcribe(spec, corpus, self.recordings.facts, enough, task)
        except WhisperqError as error:
            self._failed[spec, task] = error
            raise

    def heard(self, corpus: Corpus) -> TranscriptSet:
        """Return what the baseline says about recordings that are not the run's corpus, and need no transcripts."""
        self.built(self.baseline_spec)
        return self._transcripts.transcribe(self.baseline_spec, corpus, self.recordings.probe(corpus))

    def share_clips(self, spec: ModelSpec) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
        """Return what executed, and what the cache holds of what a model says about this run's shard of the corpus."""
        share = self.recordings.share(*self.config.shard or (1, 1))
        return self._transcripts.header(spec), self._transcripts.clips(spec, share, self.recordings.facts)

    def refuse_contradiction(
        self, spec: ModelSpec, identity: str, header: Mapping[str, Any], clips: Sequence[Mapping[str, Any]]
    ) -> None:
        """Raise `StoreError` where the cache has another text, see `TranscriptCache.refuse_contradiction`."""
        self._transcripts.refuse_contradiction(spec, identity, header, clips)

    def take(self, spec: ModelSpec, header: Mapping[str, Any], clips: Sequence[Mapping[str, Any]]) -> None:
        """Keep what a shard has transcribed with a model, see `TranscriptCache.take`."""
        self._transcripts.take(spec, header, clips)

    def known(self, spec: ModelSpec) -> Known:
        """Return what a model has been heard to say about the corpus, in this run or earlier ones."""
        decoded = None if self.config.shard else self._decoded.get((spec, "transcribe"))
        return Known.of(decoded) if decoded else self._transcripts.known(spec, self.corpus, self.recordings.facts)

    def long_texts(self, spec: ModelSpec) -> TranscriptSet:
        """Return what a model says in the long recordings, cut where their utterances part; decoded once a run."""
        if spec not in self._long:
            recordings = whole(self.recordings.long_form)
            artifact, transcriber, texts = self.decoder.long(spec, recordings)
            shares = [
                share
                for recording, text in zip(recordings, texts, strict=True)
                for share in share_out(recording, text, self.recordings.long_normalizer)
            ]
            clips = [item.id for item in self.recordings.long_form.utterances]
            self._long[spec] = uncached_transcripts(artifact, transcriber, clips, shares)
        return self._long[spec]

    def timed(self, spec: ModelSpec) -> tuple[TranscriptSet, list[TimedText]]:
        """Return what a model says about the corpus when it tells times, and the times; decoded once a run."""
        if spec not in self._timed:
            artifact, transcriber, timed_texts = self.decoder.timed(spec, self.corpus)
            texts = [" ".join(segment.text for segment in text.segments) for text in timed_texts]
            clips = [self.recordings.facts[item.id].digest for item in self.corpus.utterances]
            self._timed[spec] = uncached_transcripts(artifact, transcriber, clips, texts), timed_texts
        return self._timed[spec]

    def texts(self, candidate: Candidate) -> PairedTexts:
        """Return baseline and candidate transcripts side by side; a candidate that cannot be built ends it at once."""
        if candidate not in self._paired:
            self.built(self.spec(candidate))
            baseline, quantized = self.transcripts(self.baseline_spec), self.transcripts(self.spec(candidate))
            self._paired[candidate] = pair_texts(self.corpus, self.normalizer, baseline, quantized)
        return self._paired[candidate]
