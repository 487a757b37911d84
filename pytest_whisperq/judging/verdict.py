"""The three verdicts, and the frozen values that carry them from the gates to a report."""

from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any

from pytest_whisperq.config.choices import COUNTED, Metric

TIMES = "times"
"""The unit of a speedup."""

LEAST = 0.5
"""What has to be left of a baseline's accuracy under another normalizer, for a verdict there to mean something.

Where a baseline has less accuracy than this, a gate that passes says so."""


class Verdict(Enum):
    """What a gate concludes. Only `PASS` is a pass."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"

    @classmethod
    def worst(cls, verdicts: "list[Verdict]") -> "Verdict":
        """Return the verdict of a gate with several checks; no check at all is `INCONCLUSIVE`, never a pass.

        >>> Verdict.worst([Verdict.PASS, Verdict.INCONCLUSIVE])
        <Verdict.INCONCLUSIVE: 'INCONCLUSIVE'>
        >>> Verdict.worst([])
        <Verdict.INCONCLUSIVE: 'INCONCLUSIVE'>
        """
        for verdict in (cls.FAIL, cls.INCONCLUSIVE):
            if verdict in verdicts:
                return verdict
        return cls.PASS if verdicts else cls.INCONCLUSIVE

    @classmethod
    def best(cls, verdicts: "list[Verdict]") -> "Verdict":
        """Return the verdict of demands of which one is enough; no demand at all is `INCONCLUSIVE`, never a pass.

        >>> Verdict.best([Verdict.FAIL, Verdict.INCONCLUSIVE])
        <Verdict.INCONCLUSIVE: 'INCONCLUSIVE'>
        """
        for verdict in (cls.PASS, cls.INCONCLUSIVE):
            if verdict in verdicts:
                return verdict
        return cls.FAIL if verdicts else cls.INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One measured value against one limit.

    ``lower`` and ``upper`` are the two one-sided bounds at ``confidence``, in the unit of ``value``; each is None where
    the data cannot bound it, and confidence is None for what was counted and not estimated. ``keep`` says where the
    value has to stay: "below", "above" or exactly "at" the limit.
    """

    name: str
    value: float | None
    limit: float
    keep: str
    lower: float | None
    upper: float | None
    confidence: float | None
    unit: str
    verdict: Verdict
    reason: str

    def __post_init__(self) -> None:
        if self.keep not in ("below", "above", "at"):
            raise ValueError(f"keep must be 'below', 'above' or 'at' (got {self.keep!r})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What an accuracy gate measures on the same transcripts under one normalizer, and what it would conclude there.

    The rates are fractions; ``utterances`` are those with a reference of which the normalizer leaves something.
    """

    normalizer: str
    utterances: int
    baseline_rate: float | None
    candidate_rate: float | None
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Something measured on the way, which nothing is demanded of: its value, bounds and the baseline's value, if any.

    The unit is part of the name (``time to first token, ms``).
    """

    name: str
    value: float
    lower: float | None = None
    upper: float | None = None
    baseline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What was measured again and again, to be drawn: points (x, y), what y is in the name, what x is in ``over``."""

    name: str
    over: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one gate concluded about one candidate, with everything a summary line needs.

    ``compute_type`` is what executed, empty for a gate that runs nothing; ``fell_back`` says that it is not what the
    candidate's precision promises, ``operations`` how many layers run in which type, where a runtime mixes them. A gate
    that hears no corpus has no utterances, one that compares with nothing no baseline. ``metric`` is that of
    `config.choices`, empty for a gate that has none. ``unit`` is the metric by which it is said how much was said;
    ``words`` and, for cer, ``characters`` are those of the references, and for mer ``words`` are words and characters.
    ``scores`` are the gate's figures under its own
    normalizer, first, and under others; ``figures`` what else it measured, and ``series`` what it measured again and
    again. ``notes`` are what a reader should know whatever the verdict is, ``built`` the same of the candidate's build.
    One without checks only reports: it demands nothing and has no verdict to speak of.

    All checks have to pass, unless a ``condition`` says how they are joined; ``combined`` is what they come to then.
    """

    gate: str
    candidate: str
    baseline: str
    checks: tuple[Check, ...]
    compute_type: str = ""
    fell_back: bool = False
    operations: str = ""
    corpus: str = ""
    normalizer: str = ""
    utterances: int = 0
    words: int = 0
    metric: str = ""
    characters: int = 0
    unit: Metric = "wer"
    seed: int = 0
    details: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    figures: tuple[Figure, ...] = ()
    series: tuple[Series, ...] = ()
    condition: str = ""
    combined: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst verdict among the checks, or what the condition makes of them."""
        return self.combined or Verdict.worst([check.verdict for check in self.checks])

    @property
    def id(self) -> str:
        """The gate and the candidate, ``accuracy/openvino:int8-ptq``: what a waiver names."""
        return f"{self.gate}/{self.candidate}"

    @property
    def broken(self) -> tuple[Score, ...]:
        """The scores under normalizers that leave the baseline less than `LEAST` of its accuracy: no verdict is theirs.

        Most of what the baseline has right is wrong there by its spelling, such as capital letters under ``identity``.
        A candidate cannot lose it, so that a drop is hidden or is one of spelling.
        """
        right = [0.0 if one.baseline_rate is None else max(0.0, 1 - one.baseline_rate) for one in self.scores]
        return tuple(score for score, share in zip(self.scores, right, strict=True) if share < LEAST * right[0])

    @property
    def contradictions(self) -> tuple[Score, ...]:
        """The scores under normalizers that would have ended in another verdict, without those that are `broken`."""
        other = (score for score in self.scores if score.check.verdict is not self.scores[0].check.verdict)
        return tuple(score for score in other if score not in self.broken)

    @property
    def counted(self) -> str:
        """How much was said, for example ``1800 words``."""
        return f"{self.characters if self.unit == 'cer' else self.words} {COUNTED[self.unit]}"

    @property
    def executed(self) -> str:
        """The candidate and what it runs as, for example ``ctranslate2:float16 → float32`` where it fell back."""
        if not self.compute_type:
            return self.candidate
        joint = " → " if self.fell_back else ", runs "
        return f"{self.candidate}{joint}{self.compute_type}"

    def detail(self, name: str) -> float | None:
        """Return a figure measured along the way (``baseline_wer`` and the like), or None."""
        return dict(self.details).get(name)

    def reported(self) -> "Judgement":
        """Return the same without demands: what was checked becomes figures."""
        figures = tuple(
            Figure(name=check.name, value=check.value, lower=check.lower, upper=check.upper)
            for check in self.checks
            if check.value is not None
        )
        return replace(self, checks=(), figures=(*figures, *self.figures), condition="", combined=None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; `from_dict` reads it back."""
        data = asdict(self)
        for check in (*data["checks"], *(score["check"] for score in data["scores"])):
            check["verdict"] = check["verdict"].value
        data["details"] = dict(self.details)
        for name in ("condition", "combined"):
            if not data[name]:
                del data[name]  # only one gate has them
        if self.combined:
            data["combined"] = self.combined.value
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Judgement":
        """Rebuild a judgement that travelled as JSON, for example from an xdist worker."""
        data = {"unit": data["metric"] or "wer", **_known(cls, data)}  # of older versions, the metric alone tells it
        scores = tuple(Score(**_known(Score, {**score, "check": _check(score["check"])})) for score in data["scores"])
        checks, details = tuple(map(_check, data["checks"])), tuple(data["details"].items())
        figures = tuple(Figure(**_known(Figure, figure)) for figure in data["figures"])
        series = tuple(
            Series(**_known(Series, {**one, "points": tuple((x, y) for x, y in one["points"])}))
            for one in data.get("series", ())
        )
        rebuilt = {"checks": checks, "details": details, "scores": scores, "figures": figures, "series": series}
        notes: dict[str, Any] = {"notes": tuple(data["notes"]), "built": tuple(data.get("built", ()))}
        combined = Verdict(data["combined"]) if "combined" in data else None
        return cls(**{**data, **rebuilt, **notes, "combined": combined})


def _check(data: dict[str, Any]) -> Check:
    return Check(**_known(Check, {**data, "verdict": Verdict(data["verdict"])}))


def _known(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that ``kind`` has: a later version may have written more."""
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in data.items() if key in names}
