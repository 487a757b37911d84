"""The whole product without pytest: options in, judgements out."""

from dataclasses import dataclass
from functools import cached_property

from pytest_whisperq import gates, normalize
from pytest_whisperq.artifacts import Artifact, ArtifactStore
from pytest_whisperq.audio_index import AudioIndex, ClipFacts
from pytest_whisperq.backends import Calibration, get_backend
from pytest_whisperq.calibration import load_calibration_set, make_calibration
from pytest_whisperq.config import Candidate, GateConfig, explicit_candidate
from pytest_whisperq.corpus import Corpus, load_corpus, subset
from pytest_whisperq.errors import ConfigError, WhisperqError
from pytest_whisperq.measure.accuracy import DropType
from pytest_whisperq.measure.error_rate import Metric
from pytest_whisperq.measure.pairs import PairedTexts, pair_texts
from pytest_whisperq.normalize import Normalizer
from pytest_whisperq.spec import ModelSpec, SourceModel, resolve_source
from pytest_whisperq.transcribe import Progress, TranscriptCache, TranscriptSet
from pytest_whisperq.verdict import Judgement, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run concluded, one judgement for each gate and candidate, and which candidates it left out and why."""

    judgements: tuple[Judgement, ...]
    left_out: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the run."""
        return Verdict.worst([judgement.verdict for judgement in self.judgements])


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model of a run: built and decoded when its attributes are first asked for."""

    run: "GateRun"
    candidate: Candidate
    is_baseline: bool = False

    @property
    def spec(self) -> ModelSpec:
        """What is built."""
        return self.run.baseline_spec if self.is_baseline else self.run.spec(self.candidate)

    @property
    def artifact(self) -> Artifact:
        """The built model: directory, size, identity."""
        return self.run.store.get(self.spec)

    @property
    def transcripts(self) -> TranscriptSet:
        """What it says about the corpus."""
        return self.run.transcripts(self.spec)


class GateRun:
    """One run's corpus, models and transcripts, each obtained on first use and kept: every gate shares them."""

    def __init__(self, config: GateConfig, progress: Progress = silent) -> None:
        self.config = config
        self._progress = progress
        self.store = ArtifactStore(
            config.cache_dir,
            on_build=lambda spec: progress(f"{spec} is being built", 0, 0),
            calibration=lambda: self.calibration,
        )
        self._transcripts = TranscriptCache(
            config.cache_dir,
            self.store,
            threads=config.threads,
            batch=config.decode_batch,
            progress=progress,
            allow_fallback=config.allow_fallback,
        )
        self._decoded: dict[ModelSpec, TranscriptSet] = {}
        self._failed: dict[ModelSpec, WhisperqError] = {}
        self._paired: dict[Candidate, PairedTexts] = {}

    @cached_property
    def corpus(self) -> Corpus:
        """The evaluation corpus, reduced to ``max_utterances``."""
        return subset(load_corpus(self.config.corpus), self.config.max_utterances, self.config.seed)

    @cached_property
    def facts(self) -> dict[str, ClipFacts]:
        """Digest and duration of every clip; obtaining them finds every broken recording."""
        return self._probe(self.corpus)

    @cached_property
    def calibration(self) -> Calibration:
        """What static quantization measures on; raises `CorpusError` if any of it is evaluated on."""
        config = self.config
        chosen = load_calibration_set(config.calibration, config.calibration_samples, config.seed)
        return make_calibration(chosen, self._probe(chosen), self.facts, config.smooth_quant)

    @property
    def calibrates(self) -> bool:
        """Whether any model of the run is built with a calibration set."""
        models = (*self.config.candidates, self.config.baseline)
        return any(model.precision in get_backend(model.backend).calibrated for model in models)

    def _probe(self, corpus: Corpus) -> dict[str, ClipFacts]:
        index = AudioIndex(self.config.cache_dir)
        return index.probe(corpus, lambda done, total: self._progress("reading audio", done, total))

    @cached_property
    def normalizer(self) -> Normalizer:
        """The normalizer asked for, or the one for the corpus's languages."""
        return normalize.get(normalize.choose(self.config.normalizer, self.corpus.languages))

    @cached_property
    def source(self) -> SourceModel:
        """The checkpoint candidates are built from."""
        return resolve_source(self.config.model)

    @cached_property
    def baseline_source(self) -> SourceModel:
        """The checkpoint of the baseline; usually the same."""
        if self.config.baseline_model == self.config.model:
            return self.source
        return resolve_source(self.config.baseline_model, "--whisperq-baseline")

    @property
    def baseline_spec(self) -> ModelSpec:
        """What candidates are judged against."""
        name = self.config.baseline
        return ModelSpec(backend=name.backend, precision=name.precision, source=self.baseline_source)

    def spec(self, candidate: Candidate) -> ModelSpec:
        """Return the model a candidate stands for."""
        return ModelSpec(backend=candidate.backend, precision=candidate.precision, source=self.source)

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

    def transcripts(self, spec: ModelSpec) -> TranscriptSet:
        """Return what a model says about the corpus, building and decoding at most once."""
        if spec in self._failed:  # an hour of building that failed fails again for the next gate
            raise self._failed[spec]
        if spec not in self._decoded:
            try:
                self._decoded[spec] = self._transcripts.transcribe(spec, self.corpus, self.facts)
            except WhisperqError as error:
                self._failed[spec] = error
                raise
        return self._decoded[spec]

    def texts(self, candidate: Candidate) -> PairedTexts:
        """Return baseline and candidate transcripts side by side."""
        if candidate not in self._paired:
            baseline, own = self.transcripts(self.baseline_spec), self.transcripts(self.spec(candidate))
            self._paired[candidate] = pair_texts(self.corpus, self.normalizer, baseline, own)
        return self._paired[candidate]

    def accuracy(
        self,
        candidate: Candidate,
        *,
        max_drop: float | None = None,
        drop_type: DropType = "absolute",
        metric: Metric = "wer",
    ) -> gates.Outcome:
        """Judge the accuracy drop; a limit of None means the configured one, which is in points."""
        if max_drop is None and drop_type != "absolute":
            raise ConfigError(f"drop_type={drop_type!r} needs its own max_drop, in per cent")
        return gates.judge_accuracy(
            self.texts(candidate),
            max_drop=self.config.max_drop if max_drop is None else max_drop,
            drop_type=drop_type,
            metric=metric,
            confidence=self.config.confidence,
            seed=self.config.seed,
        )

    def parity(
        self, candidate: Candidate, *, min_exact_match: float | None = None, max_divergence: float | None = None
    ) -> gates.Outcome:
        """Judge the agreement with the baseline; a limit of None means the configured one."""
        config = self.config
        return gates.judge_parity(
            self.texts(candidate),
            min_exact_match=config.min_exact_match if min_exact_match is None else min_exact_match,
            max_divergence=config.max_divergence if max_divergence is None else max_divergence,
            confidence=config.confidence,
            seed=config.seed,
        )


def run_gates(config: GateConfig, progress: Progress = silent) -> Report:
    """Run the packaged gates (parity, accuracy) for every candidate that is installed; the others are left out."""
    run = GateRun(config, progress)
    return Report(
        judgements=tuple(
            outcome.judgement
            for candidate in config.candidates
            if not candidate.missing
            for outcome in (run.parity(candidate), run.accuracy(candidate))
        ),
        left_out=(*config.left_out, *(f"{c}: {c.missing}" for c in config.candidates if c.missing)),
    )
