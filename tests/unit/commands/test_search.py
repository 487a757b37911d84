"""The table of a search, its points and its command."""

import shlex
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_whisperq.commands.search import command, points, report, table
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.conditions import parse
from pytest_whisperq.config.options import OPTIONS
from pytest_whisperq.gates.search import Found, Tried
from pytest_whisperq.judging.verdict import Check, Judgement, Verdict
from pytest_whisperq.session import Session

INT4, PTQ, INT8, FLOAT16 = (
    Candidate(backend="openvino", precision=name) for name in ("int4-sym", "int8-ptq", "int8", "float16")
)


def tried(candidate: Candidate, size: int, rate: float, verdict: Verdict, heard: int = 300) -> Tried:
    check = Check(
        name="drop",
        value=100 * (rate - 0.05),
        limit=1.0,
        keep="below",
        lower=-1.0,
        upper=2.0,
        confidence=0.9875,
        unit="points",
        verdict=verdict,
        reason="the limit lies within the bounds",
    )
    judgement = Judgement(
        gate="limit",
        candidate=str(candidate),
        baseline="transformers:float32",
        checks=(check,),
        utterances=heard,
        metric="wer",
        details=(("baseline_wer", 0.05), ("candidate_wer", rate), ("size", float(size))),
        condition="drop<1",
        combined=verdict,
    )
    return Tried(candidate=candidate, size=size, judgement=judgement)


def found(*rows: Tried, left: tuple[Candidate, ...] = (), aside: bool = False) -> Found:
    session = SimpleNamespace(
        baseline=SimpleNamespace(artifact=SimpleNamespace(size=150_000_000)),
        corpus=SimpleNamespace(speech=range(300)),
        config=SimpleNamespace(confidence=0.9875, candidates=(INT4, PTQ, INT8, FLOAT16)),
        recordings=SimpleNamespace(set_aside=object() if aside else None),
        metric="wer",
    )
    kept = cast("Session", session)
    return Found(session=kept, condition=parse("drop<1"), tried=rows, left=left, left_out=())


LADDER = (
    tried(INT4, 20_000_000, 0.40, Verdict.FAIL, heard=12),
    Tried(candidate=PTQ, size=None, broken="the SQNR is 2.1 dB"),
    tried(INT8, 40_000_000, 0.06, Verdict.INCONCLUSIVE),
    tried(FLOAT16, 75_000_000, 0.07, Verdict.PASS),
)


def test_the_table_marks_what_nothing_beats() -> None:
    shown = table(found(*LADDER))
    assert shown.headings[0] == "candidate"
    assert shown.headings[-3:] == ("heard", "front", "verdict")
    assert [(row[0], *row[-3:]) for row in shown.rows] == [
        ("openvino:int4-sym", "12 of 300", "*", "FAIL"),
        ("openvino:int8-ptq", "", "", "broken"),
        ("openvino:int8", "300 of 300", "*", "INCONCLUSIVE"),
        ("openvino:float16", "300 of 300", "", "PASS"),
    ]
    assert {len(row) for row in shown.rows} == {len(shown.headings)}


def test_where_all_break_there_is_a_table_and_nothing_to_draw() -> None:
    one = found(LADDER[1])
    assert table(one).rows == (("openvino:int8-ptq", "", "", "broken"),)
    assert points(one) == []


def test_the_baseline_stands_among_the_points() -> None:
    first, *others = points(found(*LADDER))
    assert (first.name, first.x, first.rate, first.is_baseline) == ("transformers:float32", 150.0, 5.0, True)
    assert [(point.name, point.x, round(point.rate, 3)) for point in others] == [
        ("openvino:int4-sym", 20.0, 40.0),
        ("openvino:int8", 40.0, 6.0),
        ("openvino:float16", 75.0, 7.0),
    ]


def test_the_report_names_the_cheapest_and_what_is_not_known_of_cheaper_ones() -> None:
    lines: list[str] = []
    report(found(*LADDER), lines.append)
    assert lines[0] == "4 candidates share the error: each is judged at 98.75 %"
    assert lines[-3:] == [
        "openvino:int8-ptq: the SQNR is 2.1 dB",
        "openvino:int8, which is cheaper, could not be told: the limit lies within the bounds",
        "cheapest that passes drop<1: openvino:float16, 75,000,000 bytes",
    ]
    lines.clear()
    report(found(*LADDER[:3], left=(FLOAT16,)), lines.append)
    assert lines[-2:] == [
        "openvino:int8 could not be told: the limit lies within the bounds",
        "none passes drop<1",
    ]


TYPED = {"model": "my model", "corpus": "calls", "backend": "openvino", "confidence": "0.95", "seed": "3"}


@pytest.mark.parametrize(
    ("winner", "aside", "collected", "candidates"),
    [
        (INT8, False, "limit.py", "openvino:int8"),
        (INT8, True, "limit.py::test_limit[openvino-int8]", "openvino:int8,openvino:int8-ptq"),
        (PTQ, True, "limit.py", "openvino:int8-ptq"),
        (
            Candidate(backend="ctranslate2", precision="int8", location="a b", is_asked=False),
            False,
            "limit.py",
            "ctranslate2@a b",
        ),
    ],
)
def test_the_command_has_what_decides_the_verdict(
    monkeypatch: pytest.MonkeyPatch, winner: Candidate, aside: bool, collected: str, candidates: str
) -> None:
    monkeypatch.setattr("pytest_whisperq.commands.search.find_spec", lambda name: None)
    options: dict[str, Any] = dict.fromkeys(option.ini for option in OPTIONS)
    options |= {f"whisperq_{name}": value for name, value in TYPED.items()}
    program, suite, *typed = shlex.split(command(found(*LADDER, aside=aside), winner, options))
    assert program == "pytest"
    assert suite.endswith(collected)
    assert typed == [
        *("--whisperq-candidate", candidates, "--whisperq-limit", "drop<1", "--whisperq-confidence", "0.9875"),
        *("--whisperq-model", "my model", "--whisperq-corpus", "calls", "--whisperq-seed", "3"),
    ]


def test_an_installed_package_has_its_suites_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_whisperq.commands.search.find_spec", lambda name: object())
    options = dict.fromkeys(option.ini for option in OPTIONS)
    assert command(found(*LADDER), INT8, options).startswith("pytest --pyargs pytest_whisperq.suites.limit --whisperq-")
