"""What a run works on: its corpus, its models and what they say, each obtained once and kept."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from pytest_whisperq.backends import Calibration, Task, TimedText, get_backend
from pytest_whisperq.config.candidates import Candidate, explicit_candidate, is_by_block, is_calibrated
from pytest_whisperq.config.choices import Metric
from pytest_whisperq.config.settings import GateConfig
from pytest_whisperq.decoding.decoder import Decoder, Progress
from pytest_whisperq.decoding.engine import Engine, InProcess
from pytest_whisperq.decoding.transcript_cache import (
    Enough,
    Known,
    TranscriptCache,
    TranscriptSet,
    uncached_transcripts,
)
from pytest_whisperq.measuring.calibrated import measure_on
from pytest_whisperq.measuring.intervals import judged_by, only_these
from pytest_whisperq.measuring.longform import share_out
from pytest_whisperq.measuring.metric import choose_metric
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts, wordless_as_nonspeech
from pytest_whisperq.measuring.recording import doubt_lines
from pytest_whisperq.models.calibration import (
    SAMPLES,
    load_calibration_set,
    make_calibration,
    refuse_overlap,
    refuse_same_files,
    set_aside,
    takes_embedded,
    without,
)
from pytest_whisperq.models.languages import hearable, is_multilingual
from pytest_whisperq.models.random_weights import find_source
from pytest_whisperq.models.ready_made import folder_of
from pytest_whisperq.models.room import build_bytes, shortages
from pytest_whisperq.models.source import Folder, ModelSpec, SourceModel
from pytest_whisperq.models.store import Artifact, ArtifactStore, refuse_unfit
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.clip_index import AudioIndex, ClipFacts
from pytest_whisperq.speech.corpus import EMBEDDED, Corpus, Utterance, load_corpus, only_categories, subset
from pytest_whisperq.speech.corpus.drafts import refuse_drafts
from pytest_whisperq.speech.corpus.longform import OPTION as LONG_FORM_OPTION
from pytest_whisperq.speech.corpus.longform import load_long_form, whole
from pytest_whisperq.speech.corpus.shards import deal_out
from pytest_whisperq.speech.normalizers import Normalizer
from pytest_whisperq.speech.substitutions import Substitutions, read_substitutions
from pytest_whisperq.system.errors import ConfigError, CorpusError, LeftToJudgingError, WhisperqError
from pytest_whisperq.system.machine import available_memory

T = TypeVar("T")

_READ = (
    "engine_is_there",
    "substitutions",
    "corpus",
    "source",
    "baseline_source",
    "fit",
    "normalizer",
    "facts",
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
    """One run's corpus, models and transcripts, each obtained on first use and kept: every gate shares them."""

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
        self._part_of = part
        self.progress = progress
        self.store = ArtifactStore(
            config.cache_dir,
            on_build=lambda spec: progress(f"{spec} is being built", 0, 0),
            calibration=lambda: self.calibration,
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
            shard=config.shard,
            is_complete=bool(config.merge),
        )
        self._shares: dict[int, list[Corpus]] = {}
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
        for name in (*_READ, *(("calibration",) if self.calibrates else ())):
            getattr(self, name)

    @cached_property
    def _corpus_given(self) -> Corpus:
        """All of the corpus that the run's models can hear."""
        corpus = self._hearable(load_corpus(self.config.corpus, choices=self.config.corpus_choices))
        return only_categories(corpus) if self.config.redact else corpus

    @cached_property
    def set_aside(self) -> Corpus | None:
        """What of the corpus is calibrated on, and never evaluated on; None where a calibration set serves."""
        if not self.needs_own_calibration:
            return None
        return set_aside(self._corpus_given, self._calibration_size, self.config.seed)

    @property
    def _calibration_size(self) -> int:
        """How many utterances to calibrate on. A small corpus is wanted to evaluate on: a third of it at most."""
        spare = max(1, len(self._corpus_given.speech) // 3) if self.needs_own_calibration else SAMPLES
        return self.config.calibration_samples or min(SAMPLES, spare)

    @property
    def needs_own_calibration(self) -> bool:
        """Whether a model is calibrated for which no set was named, and the embedded one does not do."""
        return not (self.config.calibration or all(map(takes_embedded, self._calibrated_sources)))

    @cached_property
    def whole_corpus(self) -> Corpus:
        """All of the evaluation corpus: what the run's models can hear, less what is set aside.

        Raises `CorpusError` where the normalizer leaves no words of most transcripts.
        """
        rest = without(self._corpus_given, self.set_aside) if self.set_aside else self._corpus_given
        return wordless_as_nonspeech(rest, self._normalizer_of)

    def _normalizer_of(self, corpus: Corpus) -> Normalizer:
        return normalizers.get(normalizers.choose(self.config.normalizer, corpus), self.substitutions)

    @cached_property
    def _part(self) -> Corpus:
        """The whole corpus, reduced to ``max_utterances``."""
        return subset(self.whole_corpus, self.config.max_utterances, self.config.seed)

    @cached_property
    def copies(self) -> frozenset[str]:
        """The ids of utterances that are not evaluated, as copies of what is set aside."""
        if not self.set_aside:
            return frozenset()
        sounds = {fact.digest for fact in self._probe(self.set_aside).values()}
        return frozenset(name for name, fact in self._facts_of_part.items() if fact.digest in sounds)

    @cached_property
    def corpus(self) -> Corpus:
        """What is evaluated: the whole corpus, reduced to ``max_utterances``, less copies of what is set aside.

        Raises `CorpusError` where nothing is left.
        """
        if not self.copies:
            return self._part
        kept = tuple(item for item in self._part.utterances if item.id not in self.copies)
        if not kept:
            raise CorpusError(
                "holds nothing but copies of what is set aside", where=self._part.name, remedy="add recordings"
            )
        return replace(self._part, utterances=kept)

    @cached_property
    def translated(self) -> Corpus:
        """What of the corpus has a translation to compare with; raises `CorpusError` where nothing has."""
        kept = tuple(item for item in self.corpus.utterances if item.is_translated)
        if not kept:
            raise CorpusError(
                "has no translations",
                where=self.corpus.name,
                remedy="add a column translation with what is said in English (docs/corpus-layouts.md)",
            )
        return replace(self.corpus, utterances=kept)

    @cached_property
    def _facts_of_part(self) -> dict[str, ClipFacts]:
        return self._probe(self._part)

    @cached_property
    def facts(self) -> dict[str, ClipFacts]:
        """Digest and duration of every clip; obtaining them finds every broken recording."""
        return {item.id: self._facts_of_part[item.id] for item in self.corpus.utterances}

    @cached_property
    def doubts(self) -> list[str]:
        """What may be wrong with recordings and texts of the corpus, a line for each kind; first `only_these`."""
        return [
            *self.only_these,
            *self.corpus.told,
            *self.corpus.notes,
            *doubt_lines(self.corpus.utterances, self.facts),
        ]

    @property
    def only_these(self) -> list[str]:
        """Of whom alone bounds speak, in a line, where the corpus has too few clusters for others; else none."""
        _, few = self._judged_by
        return [only_these(few)] if few else []

    @cached_property
    def _judged_by(self) -> tuple[dict[str, str], int]:
        speech = self.corpus.speech
        sounds = [self.facts[item.id].digest for item in speech]
        clusters = [item.cluster or sound for item, sound in zip(speech, sounds, strict=True)]
        groups, few = judged_by(clusters, sounds)
        return {item.id: group for item, group in zip(speech, groups, strict=True)}, few

    def cluster(self, item: Utterance) -> str:
        """Return the group of an utterance of the corpus by which bounds are drawn (`intervals.judged_by`).

        Without a cluster of its own it is in that of clips with the very same sound.
        """
        groups, _ = self._judged_by
        return groups.get(item.id) or item.cluster or self.facts[item.id].digest

    def share(self, shard: int, shards: int) -> Corpus:
        """Return what of the corpus a shard of a run decodes, from 1 on: whole clusters, and equal sounds together.

        Raises `ConfigError` where there is nothing left for some shard.
        """
        if shards not in self._shares:
            self._shares[shards] = self._deal_out(shards)
        return self._shares[shards][shard - 1]

    def _deal_out(self, shards: int) -> list[Corpus]:
        items = self.corpus.utterances
        facts = [self.facts[item.id] for item in items]
        clusters = [self.cluster(item) for item in items]
        sounds, seconds = [fact.digest for fact in facts], [fact.seconds for fact in facts]
        shares: list[list[Utterance]] = [[] for _ in range(shards)]
        for item, shard in zip(items, deal_out(clusters, sounds, seconds, shards, self.config.seed), strict=True):
            shares[shard - 1].append(item)
        if (used := sum(map(bool, shares))) < shards:
            raise ConfigError(
                f"{self.corpus.name} has parts for {used} shards at most, for clusters and equal sounds stay together",
                where="--whisperq-shard",
                remedy=f"run {used} or fewer",
            )
        return [replace(self.corpus, utterances=tuple(share)) for share in shares]

    @cached_property
    def calibration_set(self) -> Corpus:
        """The recordings static quantization measures on, at most as many as are asked for.

        Raises `ConfigError` where they have to be named.
        """
        config = self.config
        if self.set_aside:
            chosen = replace(self.set_aside, utterances=self.set_aside.speech)
        elif config.calibration or all(map(takes_embedded, self._calibrated_sources or [self.source])):
            chosen = self._hearable(load_calibration_set(config.calibration or EMBEDDED, config.corpus_choices))
        else:
            raise ConfigError(
                f"name recordings to calibrate {self.source.name} on. Nothing of the corpus was set aside for it, for "
                "no candidate of this run is calibrated",
                where="--whisperq-calibration",
            )
        return subset(chosen, self._calibration_size, config.seed)

    def _hearable(self, corpus: Corpus) -> Corpus:
        if self._part_of:
            return self._part_of(corpus)
        refuse_drafts(corpus)
        return hearable(corpus, (self.source, self.baseline_source))

    @cached_property
    def calibration(self) -> Calibration:
        """What static quantization measures on; raises `CorpusError` if any of it is evaluated on."""
        chosen = self.calibration_set
        probed, speaks = self._probe(chosen), not self.source.is_random
        measure = measure_on(
            chosen.utterances,
            normalizer=self.normalizer,
            metric=self.metric,
            confidence=self.config.confidence,
            max_drop=self.config.max_drop,
        )
        return make_calibration(
            chosen, probed, self.facts, self.config.smooth_quant, speaks=speaks, measure=measure if speaks else None
        )

    @property
    def calibration_shortage(self) -> str:
        """How many clips were asked for, where the calibration set has fewer; "" where it has enough."""
        asked, there = self._calibration_size, len(self.calibration_set.utterances)
        return f"--whisperq-calibration-samples asks for {asked}, and it has no more" if there < asked else ""

    @property
    def calibrates(self) -> bool:
        """Whether any model of the run is built with a calibration set, or diagnosed on it."""
        return bool(self._calibrated_sources)

    @property
    def _calibrated_sources(self) -> list[SourceModel]:
        """The checkpoint of every model of the run that is built with a calibration set, or diagnosed on it."""
        built = [one for one in self.config.candidates if not (one.missing or one.location)]
        diagnosed = {one for one in built if self.config.diagnose and is_by_block(one)}
        models = [(candidate, self.source) for candidate in built]
        models.append((self.config.baseline, self.baseline_source))
        return [source for model, source in models if model in diagnosed or is_calibrated(model)]

    def _probe(self, corpus: Corpus) -> dict[str, ClipFacts]:
        index = AudioIndex(self.config.cache_dir, self.repairs.append)
        return index.probe(corpus, lambda done, total: self.progress("reading audio", done, total))

    @cached_property
    def substitutions(self) -> Substitutions | None:
        """What every text goes through before its normalizer; raises `ConfigError` for a file that is none."""
        return read_substitutions(self.config.substitutions) if self.config.substitutions else None

    @cached_property
    def normalizer(self) -> Normalizer:
        """The normalizer asked for, or the one for the languages of the whole corpus, however little of it is heard."""
        return self._normalizer_of(self.whole_corpus)

    @cached_property
    def long_normalizer(self) -> Normalizer:
        """The normalizer asked for, or the one for the languages of the long recordings."""
        return self._normalizer_of(self.long_form)

    @cached_property
    def metric(self) -> Metric:
        """What is counted where a gate does not say: what was asked for, or what suits the corpus's languages."""
        return self.config.metric or choose_metric(self.whole_corpus)

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
        return ModelSpec(backend=name.backend, precision=name.precision, source=self.baseline_source)

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
            if known.texts:
                self.decoder.attest(artifact.spec, known.compute_type)
            else:
                self.decoder.load(artifact)
        return artifacts

    def spec(self, candidate: Candidate) -> ModelSpec:
        """Return the model a candidate stands for."""
        return ModelSpec(
            backend=candidate.backend,
            precision=candidate.precision,
            source=self.source,
            folder=self._folders.get(candidate),
            ignored=candidate.ignored,
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
            corpus = self.corpus if task == "transcribe" else self.translated
            self._decoded[spec, task] = self._transcribe(spec, corpus, None, task)
        return self._decoded[spec, task]

    def decode_share(self, spec: ModelSpec) -> TranscriptSet:
        """Return what a model says about the shard of the corpus that this run decodes."""
        if self.config.shard is None:
            raise ValueError("this run is no shard")
        if (spec, "transcribe") not in self._decoded:
            self._decoded[spec, "transcribe"] = self._transcribe(spec, self.share(*self.config.shard), None)
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
            return self._transcripts.transcribe(spec, corpus, self.facts, enough, task)
        except WhisperqError as error:
            self._failed[spec, task] = error
            raise

    def heard(self, corpus: Corpus) -> TranscriptSet:
        """Return what the baseline says about recordings that are not the run's corpus, and need no transcripts."""
        self.built(self.baseline_spec)
        return self._transcripts.transcribe(self.baseline_spec, corpus, self._probe(corpus))

    def share_clips(self, spec: ModelSpec) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
        """Return what executed, and what the cache holds of what a model says about this run's shard of the corpus."""
        share = self.share(*self.config.shard or (1, 1))
        return self._transcripts.header(spec), self._transcripts.clips(spec, share, self.facts)

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
        return self._transcripts.known(spec, self.corpus, self.facts)

    @cached_property
    def long_form(self) -> Corpus:
        """The utterances with words of the long recordings, in their order.

        Raises `CorpusError` if any was calibrated on.
        """
        given = self._hearable(load_long_form(self.config.long_form, self.config.corpus_choices))
        corpus = wordless_as_nonspeech(given, self._normalizer_of)
        corpus = replace(corpus, utterances=corpus.speech)
        if self.calibrates:
            chosen = self.calibration_set
            refuse_overlap(chosen, self._probe(chosen), self._probe(corpus), LONG_FORM_OPTION)
            refuse_same_files(chosen, corpus, LONG_FORM_OPTION)
        return corpus

    def long_texts(self, spec: ModelSpec) -> TranscriptSet:
        """Return what a model says in the long recordings, cut where their utterances part; decoded once a run."""
        if spec not in self._long:
            recordings = whole(self.long_form)
            artifact, transcriber, texts = self.decoder.long(spec, recordings)
            shares = [
                share
                for recording, text in zip(recordings, texts, strict=True)
                for share in share_out(recording, text, self.long_normalizer)
            ]
            clips = [item.id for item in self.long_form.utterances]
            self._long[spec] = uncached_transcripts(artifact, transcriber, clips, shares)
        return self._long[spec]

    def timed(self, spec: ModelSpec) -> tuple[TranscriptSet, list[TimedText]]:
        """Return what a model says about the corpus when it tells times, and the times; decoded once a run."""
        if spec not in self._timed:
            artifact, transcriber, timed_texts = self.decoder.timed(spec, self.corpus)
            texts = [" ".join(segment.text for segment in text.segments) for text in timed_texts]
            clips = [self.facts[item.id].digest for item in self.corpus.utterances]
            self._timed[spec] = uncached_transcripts(artifact, transcriber, clips, texts), timed_texts
        return self._timed[spec]

    def texts(self, candidate: Candidate) -> PairedTexts:
        """Return baseline and candidate transcripts side by side; a candidate that cannot be built ends it at once."""
        if candidate not in self._paired:
            self.built(self.spec(candidate))
            baseline, quantized = self.transcripts(self.baseline_spec), self.transcripts(self.spec(candidate))
            self._paired[candidate] = pair_texts(self.corpus, self.normalizer, baseline, quantized)
        return self._paired[candidate]
