"""Waivers: which files are refused and how, when they hold, and what becomes of each at the end of a run."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.judging.verdict import Check, Judgement, Verdict
from pytest_whisperq.judging.waivers import Settlement, Waiver, covering, read_waivers, refuse_expired, settle, today
from pytest_whisperq.system.errors import ConfigError

GATES = ("accuracy", "parity", "size")
GOOD = 'id = "accuracy/scripted:int8"\nreason = "why"\nexpires = 2030-01-31\n'
SOME = Waiver(id="accuracy/scripted:int8", reason="why", expires=date(2030, 1, 31), test="", where="w.toml: waiver 1")
ONE, OTHER = "test_it.py::test_one[scripted-int8]", "test_it.py::test_other[scripted-int8]"


def judged(verdict: Verdict, gate: str = "accuracy", limit: float = 1.0) -> Judgement:
    bounds: dict[str, Any] = {"value": 0.5, "lower": None, "upper": None, "confidence": None}
    check = Check(name="drop", limit=limit, keep="below", unit="points", verdict=verdict, reason="because", **bounds)
    return Judgement(gate=gate, candidate="scripted:int8", baseline="scripted:float32", checks=(check,))


FAIL, UNSURE, PASS = map(judged, (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS))


def read(folder: Path, text: str) -> tuple[Waiver, ...]:
    path = folder / "w.toml"
    path.write_text(text, encoding="utf-8")
    return read_waivers(path, GATES)


def settled(*found: tuple[str, Judgement], waiver: Waiver = SOME, is_whole: bool = True) -> Settlement:
    return settle([waiver], found, ["scripted:int8"], is_whole=is_whole)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    second = (
        'id = "size/openvino:int8-ptq"\nreason = """\nfirst line\nlast"""\nexpires = 2031-12-01\ntest = "a.py::b"\n'
    )
    first, other = read(tmp_path, f"# ours\n[[waiver]]\n{GOOD}[[waiver]]\n{second}")
    where = f"{tmp_path / 'w.toml'}: waiver"
    assert first == replace(SOME, where=f"{where} 1 (accuracy/scripted:int8)")
    assert other == Waiver(
        id="size/openvino:int8-ptq",
        reason="first line last",
        expires=date(2031, 12, 1),
        test="a.py::b",
        where=f"{where} 2 (size/openvino:int8-ptq)",
    )
    assert first.candidate == "scripted:int8"


def test_a_ready_made_model_is_named_with_its_folder_which_need_not_be_here(tmp_path: Path) -> None:
    (waiver,) = read(tmp_path, "[[waiver]]\n" + GOOD.replace("scripted:int8", "openvino:float16+int8@calls-v3"))
    assert waiver.candidate == "openvino:float16+int8@calls-v3"


def test_an_editor_may_have_put_a_byte_order_mark_first(tmp_path: Path) -> None:
    assert len(read(tmp_path, f"\ufeff[[waiver]]\n{GOOD}")) == 1


@pytest.mark.parametrize("text", ["", "# none at the moment\n", "waiver = []\n"])
def test_a_file_may_have_no_waiver(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == ()


def without(key: str) -> str:
    return "[[waiver]]\n" + "\n".join(line for line in GOOD.splitlines() if not line.startswith(key))


def with_(key: str, value: str) -> str:
    return f"{without(key)}\n{key} = {value}\n"


AS_PRINTED = " (accuracy/scripted:int8)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[waiver]\n", ": is not TOML: "),
        ("x = 1_\n", ": is not TOML: "),
        (with_("expires", "2030-02-30"), ": is not TOML: "),
        (f"a = {'[' * 5000}", ": is not TOML: "),
        ("[[waivers]]\n", ": unknown key 'waivers' (did you mean 'waiver'?); valid: waiver"),
        (f"[waiver]\n{GOOD}", ": write each waiver as a table under [[waiver]], in double brackets"),
        ("waiver = 3\n", ": write each waiver as a table under [[waiver]], in double brackets"),
        ("waiver = [3]\n", ": waiver 1: must be a table under [[waiver]] (got 3)"),
        (with_("expiry", "2030-01-31"), f": waiver 1{AS_PRINTED}: unknown key 'expiry' (did you mean 'expires'?); val"),
        (without("id"), ": waiver 1: has no id; a waiver needs id, reason, expires"),
        (without("reason"), f": waiver 1{AS_PRINTED}: has no reason; a waiver needs id, reason, expires"),
        (without("expires"), f": waiver 1{AS_PRINTED}: has no expires; a waiver needs id, reason, expires"),
        (with_("reason", '" "'), f": waiver 1{AS_PRINTED}: reason must be text, and not empty (got ' ')"),
        (with_("reason", "7"), f": waiver 1{AS_PRINTED}: reason must be text, and not empty (got 7)"),
        (with_("id", "7"), ": waiver 1: id must be text, and not empty (got 7)"),
        (with_("test", '""'), f": waiver 1{AS_PRINTED}: test must be text, and not empty (got '')"),
        (
            with_("test", '"test_it"'),
            f": waiver 1{AS_PRINTED}: test must be a node id, as pytest prints it: file",
        ),
        (
            with_("expires", '"2030-01-31"'),
            f": waiver 1{AS_PRINTED}: expires must be a date without quotes and with",
        ),
        (with_("expires", "2030-01-31T00:00:00"), "without time, such as 2030-01-31 (got '2030-01-31 00:00:00')"),
        (with_("expires", "true"), "expires must be a date"),
        (
            with_("id", '"accuracy"'),
            ': waiver 1 (accuracy): id must be what the failing gate prints, such as "a',
        ),
        (
            with_("id", '"acuracy/scripted:int8"'),
            "unknown gate 'acuracy' (did you mean 'accuracy'?); valid: accu",
        ),
        (with_("id", '"*/scripted:int8"'), "unknown gate '*'"),
        (with_("id", '"accuracy/scripted:*"'), "unknown precision for scripted '*'; valid: float32, int4-sym, int8"),
        (with_("id", '"accuracy/scriptd:int8"'), "unknown backend 'scriptd' (did you mean 'scripted'?)"),
        (with_("id", '"accuracy/scripted"'), "'scripted' names no precision; write scripted:int8"),
        (with_("id", '"accuracy/"'), "unknown backend ''"),
        (f"[[waiver]]\n{GOOD}[[waiver]]\n{GOOD}", ": waiver 2 (accuracy/scripted:int8): repeats "),
        (f"[[waiver]]\n{GOOD}{with_('test', repr('a::b'))}", ": waiver 2 (accuracy/scripted:int8): repeats "),
    ],
)
def test_what_is_not_a_waiver_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "w.toml"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=f"^--whisperq-waivers: cannot read {path}: {why}"):
            read_waivers(path, GATES)
    (tmp_path / "w.toml").write_bytes(b'x = "\xff"')
    with pytest.raises(ConfigError, match=r"w\.toml: is not TOML: "):
        read_waivers(tmp_path / "w.toml", GATES)


def test_two_tests_may_each_have_a_waiver(tmp_path: Path) -> None:
    both = read(tmp_path, "".join(f'[[waiver]]\n{GOOD}test = "{test}"\n' for test in (ONE, OTHER)))
    assert [waiver.test for waiver in both] == [ONE, OTHER]
    assert covering(both, FAIL, OTHER) is both[1]


def test_a_waiver_holds_to_the_end_of_its_last_day() -> None:
    refuse_expired([SOME], date(2030, 1, 31))
    with pytest.raises(ConfigError, match=r"^w.toml: waiver 1: expired on 2030-01-31 \(today is 2030-02-01\); remove "):
        refuse_expired([SOME], date(2030, 2, 1))


def test_every_expired_waiver_is_named_at_once() -> None:
    later = replace(SOME, expires=date(2030, 3, 1), where="w.toml: waiver 2")
    with pytest.raises(ConfigError) as caught:
        refuse_expired([SOME, later, replace(SOME, expires=date(2031, 1, 1), where="fresh")], date(2030, 3, 2))
    assert "waiver 1: expired on 2030-01-31; w.toml: waiver 2: expired on 2030-03-01 (today" in str(caught.value)
    assert "fresh" not in str(caught.value)


def test_today_is_that_of_utc() -> None:
    before = datetime.now(UTC).date()
    assert before <= today() <= datetime.now(UTC).date()


def test_only_a_verdict_that_is_no_pass_is_covered() -> None:
    assert covering([SOME], FAIL, ONE) is covering([SOME], UNSURE, ONE) is SOME
    assert covering([SOME], PASS, ONE) is None
    assert covering([SOME], judged(Verdict.FAIL, "parity"), ONE) is None
    assert covering([replace(SOME, test=OTHER)], FAIL, ONE) is None


def test_a_waiver_that_excuses_one_judgement_is_used() -> None:
    found = settled((ONE, judged(Verdict.PASS, "parity")), (ONE, UNSURE))
    assert found == Settlement(
        used=("accuracy/scripted:int8 INCONCLUSIVE, waived until 2030-01-31: why",), idle=(), errors=()
    )


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_waiver_of_a_passing_gate_is_always_an_error(is_whole: bool) -> None:
    found = settled((ONE, PASS), is_whole=is_whole)
    assert found.errors == ("w.toml: waiver 1: the gate passes; remove the waiver",)
    assert not found.used


def test_a_waiver_without_a_gate_is_an_error_only_if_all_tests_ran() -> None:
    other = (ONE, judged(Verdict.FAIL, "size"))
    why = "matches nothing; this run reached a verdict on size/scripted:int8. Remove the waiver or correct its id"
    assert settled(other).errors == (f"w.toml: waiver 1: {why}",)
    assert "this run reached a verdict on no gate. " in settled().errors[0]
    assert settled(other, is_whole=False) == Settlement(
        used=(), idle=("w.toml: waiver 1: not needed here, only a part of the tests ran",), errors=()
    )


def test_a_waiver_of_a_candidate_that_is_not_gated_is_none() -> None:
    found = settle([SOME], [], ["scripted:int4-sym"], is_whole=True)
    assert found.idle == ("w.toml: waiver 1: not needed here, scripted:int8 is not gated",)
    assert not found.errors


def test_a_waiver_excuses_no_more_than_one_judgement() -> None:
    ambiguous = settled((OTHER, PASS), (ONE, FAIL))  # workers finish in any order
    assert ambiguous.errors == (
        f'w.toml: waiver 1: several tests judge it; say which is meant: test = "{ONE}" or test = "{OTHER}"',
    )
    assert not ambiguous.used
    twice = settled((ONE, FAIL), (ONE, judged(Verdict.PASS, limit=2)))
    assert twice.errors == (f"w.toml: waiver 1: {ONE} judges it 2 times; give each gate a test of its own",)
    named = settled((ONE, FAIL), (OTHER, PASS), waiver=replace(SOME, test=ONE))
    assert (len(named.used), named.errors) == (1, ())


def test_a_waiver_for_another_test_says_where_the_gate_is() -> None:
    found = settled((OTHER, FAIL), waiver=replace(SOME, test=ONE))
    assert found.errors == (f'w.toml: waiver 1: matches nothing; this gate is in another test: test = "{OTHER}"',)
