"""The gate markers: their keywords, and the one place that checks them."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_whisperq.system.errors import ConfigError

if TYPE_CHECKING:
    from pytest_whisperq.config.candidates import Candidate


class Marker(NamedTuple):
    """A gate marker. ``keywords`` maps each keyword to a check that returns what it must be, or "" if it is."""

    name: str
    gate: str
    summary: str
    keywords: Mapping[str, Callable[[Any], str]]

    @property
    def usage(self) -> str:
        """The line pytest's ``--markers`` shows."""
        return f"{self.name}({', '.join(f'{key}=' for key in self.keywords)}): {self.summary}"


def _between(low: float, high: float, *, never: float | None = None) -> Callable[[Any], str]:
    """Check for a number from ``low`` to ``high`` but not ``never``, a limit that no bound can clear."""

    def check(value: Any) -> str:
        good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        but = "" if never is None else f", but not {never:g}, which no bound can clear"
        return "" if good and value != never else f"a number from {low:g} to {high:g}{but}"

    return check


def _whole(low: int, high: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if good else f"a whole number from {low} to {high}"

    return check


def _one_of(*names: str | None) -> Callable[[Any], str]:
    return lambda value: "" if value in names else f"one of {', '.join(map(repr, names))}"


def _pair(value: Any) -> str:
    good = isinstance(value, str) and all(value.partition(":"))
    return "" if good else "a pair such as 'transformers:float32'"


_METRIC = _one_of("wer", "cer")


MERGE_CONTRACT = "whisperq_merge_contract"
"""The marker that runs the contract of streaming merges, which needs no model and is no gate of one."""

MARKERS: Mapping[str, Marker] = MappingProxyType(
    {
        marker.name: marker
        for marker in (
            Marker(
                name="whisperq_parity",
                gate="parity",
                summary="the candidate says what the baseline says, within both limits",
                keywords={
                    "min_exact_match": _between(0, 1, never=1),
                    "max_divergence": _between(0, 1, never=0),
                    "metric": _METRIC,
                },
            ),
            Marker(
                name="whisperq_accuracy",
                gate="accuracy",
                summary="the candidate's accuracy drop stays below max_drop points (or per cent, see drop_type)",
                keywords={
                    "max_drop": _between(-100, 1000),
                    "drop_type": _one_of("absolute", "relative", "accuracy-ratio"),
                    "metric": _METRIC,
                    "per": _one_of(None, "slice"),
                },
            ),
            Marker(
                name="whisperq_catastrophe",
                gate="catastrophe",
                summary="few utterances are wrecked that the baseline does not wreck (empty, loop, cut off ...)",
                keywords={"max_rate": _between(0, 1, never=0)},
            ),
            Marker(
                name="whisperq_language",
                gate="language",
                summary="the candidate detects the languages that the baseline detects",
                keywords={"min_agreement": _between(0, 1, never=1)},
            ),
            Marker(
                name="whisperq_longform",
                gate="longform",
                summary="on recordings of minutes the accuracy drop stays below max_drop points",
                keywords={"max_drop": _between(-100, 1000), "metric": _METRIC},
            ),
            Marker(
                name="whisperq_timestamps",
                gate="timestamps",
                summary="95 of 100 segment and word times are within max_shift seconds of the baseline's",
                keywords={"max_shift": _between(0, 30, never=0)},
            ),
            Marker(
                name="whisperq_streaming",
                gate="streaming",
                summary="streaming costs less than max_wer_gap points, words are final in max_commit_lag s, and stay",
                keywords={
                    "max_wer_gap": _between(-100, 1000),
                    "max_commit_lag": _between(0, 3600, never=0),
                    "max_retractions": _whole(0, 10**6),
                    "max_rtf": _between(0, 1000, never=0),
                },
            ),
            Marker(
                name="whisperq_size",
                gate="size",
                summary="the candidate's files take less than max_ratio of the baseline's bytes",
                keywords={"max_ratio": _between(0, 100, never=0)},
            ),
            Marker(
                name="whisperq_memory",
                gate="memory",
                summary="loading and decoding take less than max_ratio of the baseline's peak memory",
                keywords={"max_ratio": _between(0, 100, never=0)},
            ),
            Marker(
                name="whisperq_speedup",
                gate="speedup",
                summary="the candidate is more than min_ratio times as fast as its baseline, in one stage or in all",
                keywords={
                    "min_ratio": _between(0, 1000, never=0),
                    "stage": _one_of("encoder", "decoder", "pipeline"),
                    "baseline": _pair,
                },
            ),
            Marker(
                name="whisperq_determinism",
                gate="determinism",
                summary="decoding the same clips again gives the same tokens",
                keywords={"repeats": _whole(2, 100)},
            ),
        )
    }
)
"""Marker name → marker. Limits left out come from options, ini or defaults."""


def is_gated(node: pytest.Item | Any) -> bool:
    """Whether a test carries a gate marker."""
    return any(mark.name in MARKERS for mark in node.iter_markers())


def candidate_of(item: pytest.Item) -> "Candidate | None":
    """Return the candidate a test runs for; None for a test that no candidate was given to."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    candidate: Candidate | None = parameters.get("whisperq_candidate")
    return candidate


def gate_markers(item: pytest.Item) -> list[tuple[Marker, dict[str, Any]]]:
    """Return the gates a test asks for, keywords checked; raise `ConfigError` for one that cannot be meant.

    A nearer marker (parameter, then function, class, module) overrides a farther one of its name keyword by keyword.
    Several of one name at the same place are several gates.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for marks in _levels(item):
        here: dict[str, list[dict[str, Any]]] = {}
        for mark in marks:
            if mark.name in MARKERS:
                if mark.args:
                    valid = ", ".join(MARKERS[mark.name].keywords)
                    raise ConfigError(
                        f"{item.nodeid}: {mark.name} takes keywords only (got {mark.args[0]!r}); valid: {valid}"
                    )
                check_keywords(MARKERS[mark.name], mark.kwargs, f"{item.nodeid}: {mark.name}")
                here.setdefault(mark.name, []).append(dict(mark.kwargs))
        for name, farther in here.items():
            found[name] = [{**farther[0], **nearer} for nearer in found[name]] if name in found else farther
    return [(MARKERS[name], keywords) for name, gates in found.items() for keywords in gates]


def check_keywords(marker: Marker, keywords: Mapping[str, Any], where: str) -> None:
    """Raise `ConfigError` for a keyword that does not exist or a value that is not allowed."""
    for key, value in keywords.items():
        if key not in marker.keywords:
            raise ConfigError(f"{where} has no keyword {key!r}; valid: {', '.join(marker.keywords)}")
        if problem := marker.keywords[key](value):
            raise ConfigError(f"{where}: {key} must be {problem} (got {value!r})")
    if keywords.get("drop_type", "absolute") != "absolute" and "max_drop" not in keywords:
        raise ConfigError(f"{where}: drop_type={keywords['drop_type']!r} needs its own max_drop, in per cent")


def _levels(item: pytest.Item) -> Iterator[list[pytest.Mark]]:
    """Yield the marks of a test from the nearest place to the farthest, each place in the order they were written."""
    of_parameter = list(getattr(getattr(item, "callspec", None), "marks", ()))
    yield of_parameter
    for node in item.iter_parents():
        # Decorators are applied, and listed, from the bottom up.
        yield [mark for mark in node.own_markers if not any(mark is other for other in of_parameter)]
