"""A waivers file is read as it was meant or refused with its place, and no waiver is ever lost or excuses two gates."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_whisperq.judging.verdict import Check, Judgement, Verdict
from pytest_whisperq.judging.waivers import Waiver, covering, read_waivers, refuse_expired, settle
from pytest_whisperq.system.errors import ConfigError

GATES = ("accuracy", "parity")
TESTS = ("a.py::one", "a.py::two")
IDS = [f"{gate}/scripted:{precision}" for gate in GATES for precision in ("int8", "float32")]

reasons = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x7f"), min_size=1).filter(str.strip)
days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
entries = st.builds(
    Waiver, id=st.sampled_from(IDS), reason=reasons, expires=days, test=st.sampled_from(["", *TESTS]), where=st.just("")
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("waivers") / "w.toml"


def written(waiver: Waiver) -> str:
    reason = json.dumps(waiver.reason, ensure_ascii=False)  # TOML knows no surrogate pairs
    rows = [f'id = "{waiver.id}"', f"reason = {reason}", f"expires = {waiver.expires}"]
    return "\n".join(["[[waiver]]", *rows, *([f'test = "{waiver.test}"'] if waiver.test else []), ""])


@given(waivers=st.lists(entries, max_size=3))
def test_what_was_written_is_read_or_repeats_another(path: Path, waivers: list[Waiver]) -> None:
    path.write_text("".join(map(written, waivers)), encoding="utf-8")
    meet = [
        (one, two)
        for number, one in enumerate(waivers)
        for two in waivers[:number]
        if one.id == two.id and (one.test == two.test or not one.test or not two.test)
    ]
    if meet:
        with pytest.raises(ConfigError, match="repeats"):
            read_waivers(path, GATES)
        return
    found = read_waivers(path, GATES)
    assert [(w.id, w.reason, w.expires, w.test) for w in found] == [
        (w.id, " ".join(w.reason.split()), w.expires, w.test) for w in waivers
    ]


junk = st.one_of(st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2))
keys = st.sampled_from(["id", "reason", "expires", "test", "Id", "until"])


@given(table=st.dictionaries(keys, junk, max_size=4), text=st.text(max_size=30))
@example(table={"id": "accuracy/scripted:int8", "reason": "x", "expires": "2030-01-01"}, text="")
def test_junk_is_one_error_that_names_the_file(path: Path, table: dict[str, object], text: str) -> None:
    rows = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items())
    for content in (rows, text):
        path.write_text(f"[[waiver]]\n{content}", encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            read_waivers(path, GATES)
        assert str(caught.value).startswith(f"{path}: ")


@given(waivers=st.lists(entries, min_size=1, max_size=4), today=days)
def test_exactly_the_waivers_past_their_last_day_are_refused(waivers: list[Waiver], today: date) -> None:
    named = [
        Waiver(id=w.id, reason=w.reason, expires=w.expires, test=w.test, where=f"<{number}>")
        for number, w in enumerate(waivers)
    ]
    try:
        refuse_expired(named, today)
        message = ""
    except ConfigError as error:
        message = str(error)
    assert [w.where in message for w in named] == [today > w.expires for w in named]


def judgement(identifier: str, verdict: Verdict) -> Judgement:
    gate, _, candidate = identifier.partition("/")
    check = Check(
        name="drop",
        value=None,
        limit=1,
        keep="below",
        lower=None,
        upper=None,
        confidence=None,
        unit="points",
        verdict=verdict,
        reason="",
    )
    return Judgement(gate=gate, candidate=candidate, baseline="", checks=(check,))


judged = st.lists(
    st.tuples(st.sampled_from(TESTS), st.builds(judgement, st.sampled_from(IDS), st.sampled_from(Verdict))),
    max_size=5,
    unique=True,
)


@given(waivers=st.lists(entries, max_size=4), judged=judged, is_whole=st.booleans())
def test_every_waiver_is_settled_and_a_run_without_errors_excuses_one_gate_for_each_used(
    waivers: list[Waiver], judged: list[tuple[str, Judgement]], is_whole: bool
) -> None:
    candidates = ["scripted:int8", "scripted:float32"]
    found = settle(waivers, judged, candidates, is_whole=is_whole)
    assert len(found.used) + len(found.idle) + len(found.errors) == len(waivers)
    assert not (found.idle and is_whole)  # every candidate is gated: nothing is left to chance
    if not found.errors and len({waiver.id for waiver in waivers}) == len(waivers):
        excused = [one for test, one in judged if covering(waivers, one, test)]
        assert len(excused) == len(found.used)
        assert all(one.verdict is not Verdict.PASS for one in excused)
