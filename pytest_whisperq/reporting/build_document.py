"""From what the gates of a run concluded to the document of `history.document`: nothing is built or decoded for it."""

from __future__ import annotations

import platform
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_whisperq.backends import distributions, get_backend
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.settings import paths_of
from pytest_whisperq.decoding.transcript_cache import Known
from pytest_whisperq.gates.diagnosis import Diagnoses
from pytest_whisperq.gates.early_stop import EarlyStopping
from pytest_whisperq.gates.registry import get_gate
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.gates.saved_runs import SavedRuns
from pytest_whisperq.history.comparison import compare
from pytest_whisperq.history.document import (
    BASELINE,
    CANDIDATE,
    REPORTED,
    ROW,
    SCHEMA,
    StoredRun,
    corpus_digest,
    utterance_rows,
)
from pytest_whisperq.judging.rule import baseline_name
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.measuring.accuracy import bound_drop
from pytest_whisperq.measuring.groups import ClustersOfSounds, Groups, numbered
from pytest_whisperq.measuring.intervals import SUMS, sum_columns
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.speech.corpus import categories
from pytest_whisperq.system import machine
from pytest_whisperq.system.column import Column
from pytest_whisperq.system.on_disk import Kept, Made
from pytest_whisperq.system.redaction import scrubber

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DISTRIBUTIONS = (
    *("pytest-whisperq", "pytest", "torch", "transformers", "ctranslate2", "faster-whisper", "openvino", "nncf"),
    *("optimum-intel", "numpy", "scipy", "soundfile", "soxr", "jiwer", "whisper-normalizer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A judgement with the test that asked for it: how that ended, and until when the gate is waived, if it is."""

    test: str
    outcome: str
    judgement: Judgement
    waived_until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A test of a candidate that ended without any verdict: failed, or skipped; or a file that could not be collected.

    The latter is of no candidate: "".
    """

    test: str
    candidate: str
    outcome: str
    message: str


class _Counts:
    """What the slices of a document need of its utterances, a few numbers of each; those of errors are of speech."""

    def __init__(self, models: Sequence[str]) -> None:
        self.seconds, self.length = 0.0, 0
        self._together = ClustersOfSounds()
        self._places, self._spoken = Column("I"), Column("I")
        self._errors = {name: Column("I") for name in models}

    def added(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Count rows while they pass."""
        for place, row in enumerate(rows):
            self.seconds += row["seconds"]
            self.length += row["length"]
            if row["errors"] is not None:
                self._places.append(place)
                self._together.add(row["cluster"], row["clip"])
                self._spoken.append(row["length"])
                for name, errors in row["errors"].items():
                    self._errors[name].append(errors)
            yield row

    def clusters(self, rows: Sequence[dict[str, Any]]) -> Groups:
        """Return the cluster of each utterance of speech, each sound in one, by the ``rows`` that were added."""
        return self._together.groups(Made(lambda place: rows[place]["cluster"], self._places))

    def is_whole(self, *models: str) -> bool:
        """Whether models heard all speech."""
        return all(len(self._errors[name]) == len(self._spoken) for name in models)

    def sums(
        self, baseline: str, name: str, parts: Collection[Sequence[int]], clusters: Groups
    ) -> Iterator[NDArray[np.float64]]:
        """Yield errors of two models and length, summed by the ``clusters`` of speech: of all, then of each part.

        ``parts`` are places of speech.
        """
        import numpy as np

        columns = self._errors[baseline], self._errors[name], self._spoken
        yield sum_columns(columns, *numbered(clusters))
        held = [np.asarray(one) for one in columns] if parts else []  # read once, however many parts there are
        for places in parts:
            yield sum_columns((one[np.asarray(places)] for one in held), *numbered(clusters.at(places)))


def _first(texts: Sequence[str | None], places: Iterable[int]) -> Sequence[str | None]:
    """Return the texts of a model in ``places``, and None elsewhere."""
    is_told = bytearray(len(texts))
    for place in places:
        is_told[place] = True
    return Made(lambda place: texts[place] if is_told[place] else None, range(len(texts)))


class Collector:
    """Collects one run's document; ``session`` is the look of it in which the gates judged.

    ``is_cut`` says that tests are missing: the run was stopped, or not all could be collected. ``reruns`` has the tests
    that were run again, and what each earlier attempt had concluded.
    """

    def __init__(
        self,
        runner: GateRunner,
        gated: Sequence[Gated],
        broken: Sequence[Broken],
        *,
        is_cut: bool = False,
        reruns: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        extended = (one.judgement for one in gated if get_gate(one.judgement.gate).extendable)
        self.session = runner.look_at(max((judgement.utterances for judgement in extended), default=0))
        self._gated = gated
        self._broken = broken
        self.is_cut = is_cut
        self._reruns = reruns
        self._diagnoses = runner.session.once(Diagnoses)

    @cached_property
    def specs(self) -> dict[str, ModelSpec]:
        """The models of the run by the names they have in the document, the baseline first."""
        judged = dict.fromkeys(one.judgement.candidate for one in self._gated)
        known = {str(candidate): candidate for candidate in self.session.config.candidates}
        candidates = [known[name] for name in judged if name in known]
        return {
            self._baseline_name(candidates): self.session.baseline_spec,
            **{str(c): self.session.spec(c) for c in candidates},
        }

    def _baseline_name(self, candidates: Sequence[Candidate]) -> str:
        spec = self.session.baseline_spec
        name = baseline_name(spec, self.session.spec(candidates[0])) if candidates else str(spec)
        return f"{name} (baseline)" if name in map(str, candidates) else name

    @cached_property
    def _known(self) -> dict[str, Known]:
        return {name: self._heard(name, self.session.known(spec)) for name, spec in self.specs.items()}

    def _heard(self, name: str, known: Known) -> Known:
        """Return what a model said before decoding stopped for its errors, where it did.

        A cache may hold more of it, from another run or from shards. What a run judged is told, and no more.
        """
        judged = [one for one in self._judged(name) if get_gate(one.gate).extendable]
        most = max((one.utterances for one in judged), default=0)
        if most >= len(self.session.corpus.speech) or not any(one.gate in ("accuracy", "limit") for one in judged):
            return known
        first = _first(known.texts, self.session.once(EarlyStopping).order[:most])
        return replace(known, texts=first)

    @property
    def _substitutions(self) -> dict[str, dict[str, str]]:
        """The team's substitutions, where it has any. A redacted document has none of them, for they may be names."""
        made = self.session.recordings.substitutions
        return {"substitutions": dict(made.pairs)} if made and not self.session.config.redact else {}

    def compared(self, stored: StoredRun) -> set[str]:
        """Return which gates of the run were compared with a saved one; see `SavedRuns.compared`."""
        return self.session.once(SavedRuns).compared(stored, [one.judgement for one in self._gated])

    def document(self) -> dict[str, Any]:
        """Return the document; paths of this machine and tokens are taken out of it."""
        session, config = self.session, self.session.config
        corpus, facts, aside = session.corpus, session.recordings.facts, session.recordings.set_aside
        counts, scrub = _Counts(tuple(self.specs)), scrubber(paths_of(config))
        rows = utterance_rows(corpus, facts, session.normalizer, session.metric, self._known, redact=config.redact)
        utterances = Kept((scrub(row) for row in counts.added(rows)), ROW)
        document = {
            "schema": SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "redacted": config.redact,
            "cut_short": self.is_cut,
            "verdict": self._verdict(),
            "environment": {
                "python": platform.python_version(),
                "platform": f"{platform.system()} {platform.machine()}",
                "cpu": machine.cpu_features(),
                **({"gpu": config.gpu} if config.gpu else {}),
                "threads": config.threads,
                "versions": machine.versions(_DISTRIBUTIONS),
            },
            "settings": {
                "model": config.model,
                "baseline": f"{config.baseline}@{config.baseline_model}",
                "corpus": config.corpus,
                **({"language": config.language} if config.language else {}),
                "normalizer": str(session.normalizer),
                **self._substitutions,
                "metric": session.metric,
                "confidence": config.confidence,
                "bounds": config.bounds,
                "max_utterances": config.max_utterances,
                "device": config.device,
                "seed": config.seed,
                "on_inconclusive": config.on_inconclusive,
            },
            "corpus": {
                "name": corpus.name,
                "digest": corpus_digest(corpus, facts),
                "utterances": len(corpus.utterances),
                "speech": len(corpus.speech),
                "length": counts.length,
                "seconds": round(counts.seconds, 1),
                "notes": session.recordings.doubts,
            },
            "set_aside": sorted({item.id for item in aside.utterances} | session.recordings.copies) if aside else [],
            "left_out": list(config.left_out),
            "models": {name: self._model(name, spec) for name, spec in self.specs.items()},
            "gates": [
                {
                    "test": one.test,
                    "outcome": one.outcome,
                    "verdict": one.judgement.verdict.value if one.judgement.checks else REPORTED,
                    "waived_until": one.waived_until,
                    "judgement": one.judgement.to_dict(),
                }
                for one in self._gated
            ],
            "broken": [asdict(one) for one in self._broken],
            "reruns": [{"test": test, "earlier": list(earlier)} for test, earlier in self._reruns.items()],
            "slices": self._slices(counts, counts.clusters(utterances)),
            "utterances": utterances,
        }
        if self._diagnoses.made:
            document["diagnoses"] = [one.to_dict() for one in self._diagnoses.made]
        scrubbed: dict[str, Any] = scrub(document)
        scrubbed["compared"] = self._compared(scrubbed)
        return scrubbed

    def _verdict(self) -> str:
        """Return the worst verdict; what broke off is a FAIL, and gates that were waived do not count.

        A run that was cut short did not pass, whatever its gates had said until then.
        """
        if any(one.outcome == "failed" for one in self._broken):
            return Verdict.FAIL.value
        demanded = [one.judgement.verdict for one in self._gated if one.judgement.checks and not one.waived_until]
        if self.is_cut:
            demanded.append(Verdict.INCONCLUSIVE)
        return Verdict.worst(demanded).value if demanded else REPORTED

    def _model(self, name: str, spec: ModelSpec) -> dict[str, Any]:
        built, known = self.session.store.built(spec), self._known[name]
        calibration = built.calibration if built else ""
        if calibration and (short := self.session.recordings.calibration_shortage):
            calibration += f"; {short}"
        executed = next((j.compute_type for j in self._judged(name) if j.compute_type), known.compute_type)
        return {
            "role": BASELINE if name == next(iter(self.specs)) else CANDIDATE,
            "precision": spec.precision,
            "source": spec.source.name,
            "source_identity": spec.source.identity,
            "artifact": built.key if built else None,
            "identity": built.identity if built else None,
            "size": built.size if built else None,
            "build_seconds": built.build_seconds if built else None,
            "build_memory": built.build_memory if built else None,
            "calibration": calibration,
            "notes": list(built.notes) if built else [],
            "compute_type": executed,
            "fell_back": any(judgement.fell_back for judgement in self._judged(name)),
            "operations": known.operations,
            "versions": machine.versions(distributions(get_backend(spec.backend), spec.precision)),
        }

    def _judged(self, name: str) -> list[Judgement]:
        return [one.judgement for one in self._gated if one.judgement.candidate == name]

    def _slices(self, counts: _Counts, clusters: Groups) -> list[dict[str, Any]]:
        """Return the drop of every candidate in the whole corpus and in each of its slices, in points."""
        baseline, *candidates = self.specs
        speech = self.session.corpus.speech
        members: dict[tuple[str, str], array[int]] = {}
        for column, several in sorted(categories(speech).items()):
            for value in sorted(several):
                members[column, value] = array("I")
        for place, item in enumerate(speech):  # once, however many slices there are
            for part in item.slices:
                if part in members:
                    members[part].append(place)
        drops = []
        for name in candidates:
            if not counts.is_whole(baseline, name):
                continue  # broken beyond doubt before the corpus was through
            sizes = {("", ""): len(speech), **{part: len(places) for part, places in members.items()}}
            sums = counts.sums(baseline, name, members.values(), clusters)
            for ((column, value), size), summed in zip(sizes.items(), sums, strict=True):
                told = {"candidate": name, "column": column, "value": value, "utterances": size}
                drops.append({**told, **self._bounds(summed)})
        return drops

    def _bounds(self, sums: NDArray[np.float64]) -> dict[str, float | None]:
        drop = bound_drop(sums, SUMS, confidence=self.session.config.confidence)
        return {"drop": drop.value, "lower": drop.lower, "upper": drop.upper}

    def _compared(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        now, confidence = StoredRun(name="this run", document=document), self.session.config.confidence
        return [compare(stored, now, confidence=confidence).to_dict() for stored in self.session.once(SavedRuns).stored]
