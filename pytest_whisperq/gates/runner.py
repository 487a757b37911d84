"""One run's gates: each judges, by name, what one candidate is worth."""

from dataclasses import replace
from functools import cached_property, partial
from itertools import compress
from typing import Any

from pytest_whisperq import gates
from pytest_whisperq.backends import get_backend
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.choices import DropType, Metric
from pytest_whisperq.gates.costs import CostGates
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.stream_gate import StreamGate
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.metric import choose_metric
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.speech import normalizers
from pytest_whisperq.system.errors import ConfigError

EXTENDABLE = frozenset({"accuracy", "parity", "catastrophe", "language", "timestamps"})
"""The gates that more of the corpus may help to decide."""

ENDED_BY_ACCURACY = frozenset({"parity", "catastrophe", "language"})
"""The gates that need the transcripts of the whole corpus, which are not made for a candidate that is broken."""

HEARD = frozenset({"accuracy", "parity", "catastrophe", "language", "longform", "streaming", "timestamps"})
"""The gates on what is said, which mean nothing for random weights."""


class GateRun(CostGates):
    """One run and its gates. A limit of None means the configured one."""

    def judge(self, gate: str, candidate: Candidate, **limits: Any) -> gates.Outcome:
        """Judge by the gate's name. With ``on_inconclusive="extend"``: on more and more of the corpus.

        Every look may err, so that each gets an equal part of the error that ``confidence`` allows (Bonferroni).
        """
        if gate in HEARD and self.source.is_random:
            raise ConfigError(
                f"whisperq_{gate}: {self.source.name} says nothing that could be judged, its weights are random; gate "
                "its speed, size and memory, or name a trained model"
            )
        looks = self._looks if self.config.on_inconclusive == "extend" and gate in EXTENDABLE else (self,)
        for look in looks:
            outcome: gates.Outcome = getattr(look, gate)(candidate, **limits)
            if outcome.judgement.verdict is not Verdict.INCONCLUSIVE:
                break
            if gate in ENDED_BY_ACCURACY and look.early.broken(candidate):
                break
        return outcome

    @cached_property
    def _looks(self) -> tuple["GateRun", ...]:
        """The run on ``max_utterances``, on twice as many, and so on to the whole corpus."""
        whole = len(self.whole_corpus.utterances)
        sizes = [min(self.config.max_utterances or whole, whole)]
        while sizes[-1] < whole:
            sizes.append(min(2 * sizes[-1], whole))
        confidence = 1 - (1 - self.config.confidence) / len(sizes)
        looks = tuple(
            GateRun(replace(self.config, max_utterances=size, confidence=confidence), self._progress) for size in sizes
        )
        for look in looks:
            look.early.declared = self.early.declared
        return looks

    def look_at(self, utterances: int) -> "GateRun":
        """Return the look of a run that extends in which so many utterances of speech were judged; else this one."""
        if self.config.on_inconclusive != "extend":
            return self
        return next((look for look in self._looks if len(look.corpus.speech) >= utterances), self._looks[-1])

    @cached_property
    def early(self) -> EarlyStopping:
        """Which candidates are broken beyond doubt before all of the corpus is decoded."""
        return EarlyStopping(self)

    def accuracy(
        self,
        candidate: Candidate,
        *,
        max_drop: float | None = None,
        drop_type: DropType = "absolute",
        metric: Metric | None = None,
        per: str | None = None,
    ) -> gates.Outcome:
        """Judge the accuracy drop; a limit of None means the configured one, in points. ``per="slice"``: each slice."""
        limit = self.early.limit(max_drop=max_drop, drop_type=drop_type, metric=metric, per=per)
        part = self.early.failed(candidate, limit)
        texts = self.texts(candidate) if part is None else part
        outcome = gates.judge_accuracy(
            texts,
            max_drop=limit.max_drop,
            drop_type=limit.drop_type,
            metric=limit.metric,
            bounds=limit.bounds,
            others=normalizers.compared(self.normalizer) if part is None else (),
            confidence=self.config.confidence,
            fail_confidence=self.early.confidence,
            seed=self.config.seed,
        )
        if part is not None:
            outcome = gates.overrule(outcome, Verdict.FAIL, self.early.why_failed(part))
        extend = gates.judge_slices if per == "slice" and part is None else gates.name_worst_slices
        outcome = extend(outcome, texts, limit, confidence=self.config.confidence)
        if per == "slice" and (columns := self.corpus.withheld):
            note = f"not judged by {', '.join(columns)}, left out by --whisperq-redact"
            outcome = replace(outcome, judgement=replace(outcome.judgement, notes=(*outcome.judgement.notes, note)))
        return outcome if part is not None else self.history.accuracy(outcome, texts, limit)

    def parity(
        self,
        candidate: Candidate,
        *,
        min_exact_match: float | None = None,
        max_divergence: float | None = None,
        metric: Metric | None = None,
    ) -> gates.Outcome:
        """Judge the agreement with the baseline; a limit of None means the configured one."""
        config = self.config
        judge = partial(
            gates.judge_parity,
            min_exact_match=config.min_exact_match if min_exact_match is None else min_exact_match,
            max_divergence=config.max_divergence if max_divergence is None else max_divergence,
            metric=metric or self.metric,
            confidence=config.confidence,
            seed=config.seed,
        )
        return self.early.judge_all(candidate, judge)

    def catastrophe(self, candidate: Candidate, *, max_rate: float | None = None) -> gates.Outcome:
        """Judge the share of utterances, non-speech included, that the candidate wrecks and the baseline does not."""
        judge = partial(
            gates.judge_catastrophe,
            max_rate=self.config.max_catastrophes if max_rate is None else max_rate,
            confidence=self.config.confidence,
            seed=self.config.seed,
        )
        return self.early.judge_all(candidate, judge)

    def language(self, candidate: Candidate, *, min_agreement: float | None = None) -> gates.Outcome:
        """Judge whether candidate and baseline detect the same languages."""
        for model in (self.baseline, self.model(candidate)):
            if not model.is_multilingual:
                raise ConfigError(
                    f"whisperq_language: {model.spec.source.name} is English-only and detects no language; "
                    "take the marker off, or gate a multilingual model"
                )

        def judge(texts: PairedTexts) -> gates.Outcome:
            for model, heard in (
                (self.baseline, [pair.baseline_language for pair in texts.pairs]),
                (self.model(candidate), [pair.candidate_language for pair in texts.pairs]),
            ):
                if None in heard:
                    raise ConfigError(
                        f"whisperq_language: backend {model.spec.backend!r} does not say which language it detects; "
                        "take the marker off, or gate another backend"
                    )
            return gates.judge_language(
                texts,
                min_agreement=self.config.min_language_agreement if min_agreement is None else min_agreement,
                confidence=self.config.confidence,
                seed=self.config.seed,
            )

        return self.early.judge_all(candidate, judge)

    def longform(
        self, candidate: Candidate, *, max_drop: float | None = None, metric: Metric | None = None
    ) -> gates.Outcome:
        """Judge the accuracy drop on recordings of minutes, against the same backend at float32.

        The same backend, because each has its own way of going from window to window. What is said in one 30 s window
        counts as one piece of evidence: a model that loops loses all of it.
        """
        spec = self.spec(candidate)
        baseline = self.unquantized(spec, "longform")
        metric = metric or self.config.metric or choose_metric(self.long_form)
        heard = self.long_texts(baseline), self.long_texts(spec)
        texts = pair_texts(self.long_form, self.long_normalizer, *heard, is_normalized=True)
        # Under its own normalizer only: it is normalized texts that are cut where utterances part.
        outcome = gates.judge_accuracy(
            texts,
            max_drop=self.config.max_drop if max_drop is None else max_drop,
            metric=metric,
            confidence=self.config.confidence,
            seed=self.config.seed,
        )
        return replace(outcome, judgement=replace(outcome.judgement, gate="longform"))

    def unquantized(self, spec: ModelSpec, gate: str) -> ModelSpec:
        """Return the same checkpoint on the same backend, not quantized."""
        if "float32" not in get_backend(spec.backend).precisions:
            raise ConfigError(f"whisperq_{gate}: {spec.backend} has no float32 to hold {spec} against")
        return ModelSpec(backend=spec.backend, precision="float32", source=spec.source)

    @cached_property
    def streams(self) -> StreamGate:
        """The long recordings as streams."""
        return StreamGate(self)

    def streaming(
        self,
        candidate: Candidate,
        *,
        max_wer_gap: float | None = None,
        max_commit_lag: float | None = None,
        max_retractions: int = 0,
        max_rtf: float | None = None,
    ) -> gates.Outcome:
        """Judge what a candidate loses by streaming, how late it commits words, and whether it keeps up.

        Against itself offline; the same backend at float32 stands beside it, and what the merge counts on is measured
        of that. Without ``max_rtf`` computing is only reported: it is this machine's.
        """
        config, spec = self.config, self.spec(candidate)
        return self.streams.judge(
            self.unquantized(spec, "streaming"),
            spec,
            gates.StreamLimits(
                wer_gap=config.max_wer_gap if max_wer_gap is None else max_wer_gap,
                commit_lag=config.max_commit_lag if max_commit_lag is None else max_commit_lag,
                retractions=max_retractions,
                rtf=max_rtf,
            ),
        )

    def timestamps(self, candidate: Candidate, *, max_shift: float | None = None) -> gates.Outcome:
        """Judge how far segments and words are from the baseline's in time. Decodes once more, with timestamps."""
        (base, base_times), (own, own_times) = self.timed(self.baseline_spec), self.timed(self.spec(candidate))
        spoken = [item.is_speech for item in self.corpus.utterances]
        return gates.judge_timestamps(
            pair_texts(self.corpus, self.normalizer, base, own),
            (list(compress(base_times, spoken)), list(compress(own_times, spoken))),
            max_shift=self.config.max_shift if max_shift is None else max_shift,
            confidence=self.config.confidence,
            seed=self.config.seed,
        )
