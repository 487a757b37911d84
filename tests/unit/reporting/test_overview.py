"""The table of a run, a row for each candidate."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.parity import judge_parity
from pytest_whisperq.judging.verdict import Check, Figure, Judgement, Verdict
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.reporting.overview import Overview, overview, overview_table

Pairs = Callable[..., PairedTexts]


@pytest.fixture
def judged(make_pairs: Pairs) -> list[Judgement]:
    """Accuracy, which fails, and parity, which passes, on forty clips."""
    texts = make_pairs(["a bb c d"] * 40, None, ["a x c d" if n % 8 == 0 else "a bb c d" for n in range(40)])
    keywords: dict[str, Any] = {"confidence": 0.95, "seed": 3}
    return [
        judge_accuracy(texts, max_drop=0.1, **keywords).judgement,
        judge_parity(texts, min_exact_match=0.5, max_divergence=0.2, **keywords).judgement,
    ]


def test_a_row_says_what_ran_what_was_lost_and_the_worst_verdict(judged: list[Judgement]) -> None:
    table = overview(judged)
    (row,) = table.rows
    cells = dict(zip(table.headings, row, strict=True))
    assert cells["candidate"] == "scripted:int8"
    assert cells["runs"] == "int8"
    assert cells["WER, %"] == "0.00 → 3.12"
    assert cells["drop"].startswith("+3.12 (-")
    assert cells["exact match"] == "87.50 %"
    assert cells["verdict"] == judged[0].verdict.value
    assert table.headings[1:4] == ("runs", "WER, %", "drop")


def test_a_fallback_is_shown_as_one(judged: list[Judgement]) -> None:
    table = overview([replace(judged[0], compute_type="float32", fell_back=True)])
    assert table.rows[0][1] == "→ float32"


def test_a_waived_gate_leaves_the_verdict_of_the_others_and_is_named(judged: list[Judgement]) -> None:
    assert overview(judged, ["2030-01-01", ""]).rows[0][-1] == "PASS (waived)"
    assert overview(judged[:1], ["2030-01-01"]).rows[0][-1] == "(waived)"


def test_what_demands_nothing_has_no_verdict_but_its_speedups() -> None:
    figures = (Figure(name="encoder speedup", value=1.6, lower=1.5, upper=1.7), Figure(name="RTFx", value=9.0))
    table = overview([Judgement(gate="speedup", candidate="a:b", baseline="", checks=(), figures=figures)])
    assert table == Overview(
        headings=("candidate", "encoder speedup", "verdict"), rows=(("a:b", "1.60 (1.50 … 1.70)", "reported"),)
    )


def test_candidates_that_were_measured_differently_share_a_table(judged: list[Judgement]) -> None:
    table = overview([judged[0], replace(judged[1], candidate="other:int4")])
    first, second = (dict(zip(table.headings, row, strict=True)) for row in table.rows)
    assert (first["exact match"], second["drop"]) == ("", "")


def test_a_narrow_terminal_shows_what_matters_most_without_folding(judged: list[Judgement]) -> None:
    table = overview(judged)
    wide = overview_table(table, width=160, colour=False).splitlines()
    *narrow, empty, line = overview_table(table, width=80, colour=False).splitlines()
    assert len(wide) == len(narrow) == 4  # nothing, headings, a rule, a row
    assert (empty, line) == ("", "no room for: exact match, divergence")
    assert "divergence" in wide[1]
    assert "divergence" not in narrow[1]
    for heading in ("candidate", "WER, %", "drop", "verdict"):
        assert heading in narrow[1]
    assert max(map(len, narrow)) <= 80


@pytest.mark.parametrize("width", [40, 50, 60])
def test_no_row_is_wider_than_its_terminal(judged: list[Judgement], width: int) -> None:
    lines = overview_table(overview(judged), width=width, colour=False).splitlines()
    assert max(map(len, lines)) <= width
    assert "verdict" in lines[1]
    assert "exact match" in " ".join(lines[5:])


def test_colour_is_only_on_request(judged: list[Judgement]) -> None:
    assert "\x1b[" in overview_table(overview(judged), width=160, colour=True)
    assert "\x1b[" not in overview_table(overview(judged), width=160, colour=False)


def test_brackets_in_names_are_no_markup() -> None:
    check = Check(
        name="size",
        value=0.5,
        limit=1,
        keep="below",
        lower=0.5,
        upper=0.5,
        confidence=None,
        unit="of the baseline",
        verdict=Verdict.PASS,
        reason="",
    )
    judgements = [
        Judgement(gate="streaming", candidate=name, baseline="", checks=(replace(check, name="[/b]"),))
        for name in ("a:[red]b", "a:[/b]")
    ]
    shown = overview_table(overview(judgements), width=100, colour=False)
    for name in ("a:[red]b", "a:[/b]", "streaming [/b]"):
        assert name in shown
