"""Stop decoding a candidate whose accuracy has failed beyond doubt (`measuring.sequential`).

Where decoding stops follows from the seeded order and from what the candidate says, never from what happens to be
cached: a second run, another worker, or a run that has every text already, fails it after the same utterances.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.decoding.transcript_cache import TranscriptSet
from pytest_whisperq.judging.rule import Outcome, overrule
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts, pair_texts
from pytest_whisperq.measuring.sequential import SHARE, AccuracyLimit, EarlyFail, shuffled
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus import Corpus, keep_utterances
from pytest_whisperq.system.column import Column
from pytest_whisperq.system.errors import ConfigError
from pytest_whisperq.system.on_disk import Made, choose

_OFF = "--whisperq-early-stop=false decodes all of it"


class EarlyStopping:
    """The accuracy gates of a run that may fail early, and what that means for its other gates."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alpha = SHARE * (1 - session.config.confidence)
        self._failed: dict[tuple[Candidate, AccuracyLimit], PairedTexts | None] = {}
        self.declared: dict[Candidate, set[AccuracyLimit]] = {}

    @property
    def confidence(self) -> float:
        """The confidence that is left for the bound with which a whole corpus fails a candidate."""
        spent = self._alpha if self._session.config.early_stop else 0.0
        return self._session.config.confidence + spent

    def limit(self, limits: Mapping[str, Any]) -> AccuracyLimit:
        """Return what an accuracy gate with these keywords demands of the whole corpus, whatever it demands of slices.

        Raises `ConfigError` for keywords that mean nothing together with ``--whisperq-bounds``.
        """
        config, metric = self._session.config, limits["metric"] or self._session.metric
        drop_type = limits["drop_type"]
        if config.bounds == "mapsswe" and (drop_type, metric) != ("absolute", "wer"):
            raise ConfigError(
                f"mapsswe counts words in points, not drop_type={drop_type!r} of metric={metric!r}",
                where="--whisperq-bounds",
                remedy="use t or sign-flip, or count words with --whisperq-metric wer",
            )
        if config.bounds == "mapsswe" and limits["per"]:
            raise ConfigError(
                "mapsswe is too coarse for per='slice'", where="--whisperq-bounds", remedy="use t or sign-flip"
            )
        return AccuracyLimit(limits["max_drop"], drop_type, metric, config.bounds, config.seed)

    def declare(self, candidate: Candidate, limits: Mapping[str, Any]) -> None:
        """Say that this run gates a candidate's accuracy; once all such gates have failed, no gate decodes the rest."""
        self.declared.setdefault(candidate, set()).add(self.limit(limits))

    def failed(self, candidate: Candidate, limit: AccuracyLimit) -> PairedTexts | None:
        """Return the texts with which a candidate fails a limit beyond doubt; None when all of the corpus has to tell.

        Decodes no more than it takes, by batches.
        """
        if not self._session.config.early_stop:
            return None
        key = candidate, limit
        if key not in self._failed:
            session, order = self._session, self.order
            session.built(session.spec(candidate))  # one that quantization broke is told before the baseline is decoded
            utterances = keep_utterances(choose(session.corpus.utterances, order))
            corpus = replace(session.corpus, utterances=utterances)
            baseline = session.transcripts(session.baseline_spec).at(order)
            test = EarlyFail(pair_texts(corpus, session.normalizer, baseline, baseline), limit, self._alpha)
            transcripts = session.leading(session.spec(candidate), corpus, lambda texts: test.after(texts) is not None)
            count = test.after(transcripts.texts)
            self._failed[key] = None if count is None else self._part(corpus, baseline, transcripts, count)
        return self._failed[key]

    def broken(self, candidate: Candidate) -> PairedTexts | None:
        """Return the texts with which a candidate has failed every declared gate, where decoding stopped, or None."""
        parts = []
        for limit in sorted(self.declared.get(candidate, ())):
            part = self.failed(candidate, limit)
            if part is None:
                return None
            parts.append(part)
        return max(parts, key=lambda part: len(part.pairs), default=None)

    def judge_all(self, candidate: Candidate, judge: Callable[[PairedTexts], Outcome]) -> Outcome:
        """Judge on the whole corpus. A candidate for which it is not decoded gets no verdict: neither PASS nor FAIL.

        It is decoded where that would be a skip: the test of the accuracy that has failed may not show, skipped by
        itself, and nothing else would have failed the run.
        """
        part = None if self._session.config.on_inconclusive == "skip" else self.broken(candidate)
        if part is None:
            return judge(self._session.texts(candidate))
        reason = (
            f"decoding stopped after {self._share(part)}, where accuracy had failed; what was stopped for its errors "
            f"tells nothing else; {_OFF}"
        )
        return overrule(judge(part), Verdict.INCONCLUSIVE, reason)

    def why_failed(self, part: PairedTexts) -> str:
        """Say why an accuracy gate fails early."""
        return (
            f"broken beyond doubt after {self._share(part)} in random order: a drop within the limit would ever look "
            f"like this in less than {100 * self._alpha:.2g} % of runs; {_OFF}"
        )

    def _share(self, part: PairedTexts) -> str:
        return f"{len(part.pairs)} of {len(self._session.corpus.speech)} utterances"

    @cached_property
    def order(self) -> Sequence[int]:
        """The corpus in random order, cluster after cluster; non-speech, which has no words to count, at the end."""
        session = self._session
        items = session.corpus.utterances
        order = shuffled(Made(session.recordings.cluster, items), session.config.seed)
        is_silent = bytearray(not item.is_speech for item in items)
        return Column("I", (index for silence in (False, True) for index in order if is_silent[index] == silence))

    def _part(self, corpus: Corpus, baseline: TranscriptSet, transcripts: TranscriptSet, count: int) -> PairedTexts:
        first = range(count)
        part = replace(corpus, utterances=corpus.utterances[:count])
        return pair_texts(part, self._session.normalizer, baseline.at(first), transcripts.at(first))
