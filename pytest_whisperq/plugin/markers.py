"""The markers of a test that ask for gates, and what they come to where several places say something."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_whisperq.gates.registry import gate_of_marker, get_gate

if TYPE_CHECKING:
    from pytest_whisperq.config.candidates import Candidate


MERGE_CONTRACT = "whisperq_merge_contract"
"""The marker that runs the contract of streaming merges, which needs no model and is no gate of one."""


def is_gated(node: pytest.Item | Any) -> bool:
    """Whether a test carries a gate marker."""
    return any(gate_of_marker(mark.name) for mark in node.iter_markers())


def candidate_of(item: pytest.Item) -> "Candidate | None":
    """Return the candidate a test runs for; None for a test that no candidate was given to."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    candidate: Candidate | None = parameters.get("whisperq_candidate")
    return candidate


def gate_markers(item: pytest.Item) -> list[tuple[str, dict[str, Any]]]:
    """Return the gates a test asks for by name, keywords checked; raise `ConfigError` for one that cannot be meant.

    A nearer marker (parameter, then function, class, module) overrides a farther one of its name keyword by keyword.
    Several of one name at the same place are several gates, and a nearer marker overrides each of them.
    """
    by_name: dict[str, list[dict[str, Any]]] = {}
    for marks in _levels(item):
        here: dict[str, list[dict[str, Any]]] = {}
        for mark in marks:
            if name := gate_of_marker(mark.name):
                gate = get_gate(name)
                where = f"{item.nodeid}: {mark.name}"
                keywords = gate.named(mark.args, mark.kwargs, where)
                gate.check(keywords, where)
                here.setdefault(name, []).append(keywords)
        for name, farther in here.items():
            if name in by_name:
                each = [{**far, **near} for near in by_name[name] for far in farther]
                by_name[name] = [one for place, one in enumerate(each) if one not in each[:place]]
            else:
                by_name[name] = farther
    return [(name, keywords) for name, gates in by_name.items() for keywords in gates]


def _levels(item: pytest.Item) -> Iterator[list[pytest.Mark]]:
    """Yield the marks of a test from the nearest place to the farthest, each place in the order they were written."""
    of_parameter = list(getattr(getattr(item, "callspec", None), "marks", ()))
    yield of_parameter
    for node in item.iter_parents():
        # Decorators are applied, and listed, from the bottom up.
        yield [mark for mark in node.own_markers if not any(mark is other for other in of_parameter)]
