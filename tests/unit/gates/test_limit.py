"""A condition of limits: three values, error shared among ways to pass, nothing measured that does not matter."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.backends.scripted import ScriptedTranscriber
from pytest_whisperq.config.conditions import QUANTITIES, Comparison, comparisons, parse
from pytest_whisperq.gates.limit import PARTS, combined, open_comparisons
from pytest_whisperq.gates.registry import get_gate
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Judgement, Verdict
from pytest_whisperq.system.errors import ConfigError

StartRun = Callable[..., GateRunner]
P, F, U = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
COUNT = 120

A, B, C = parse("drop<0.3"), parse("drop<1"), parse("speedup>2")
EITHER = "drop<0.3 or (drop<1 and speedup>2)"


@pytest.mark.parametrize(
    ("text", "one", "other", "verdict"),
    [
        *(("drop<0.3 and speedup>2", P, other, other) for other in (P, U, F)),
        *(("drop<0.3 and speedup>2", U, other, verdict) for other, verdict in ((P, U), (U, U), (F, F))),
        *(("drop<0.3 and speedup>2", F, other, F) for other in (P, U, F)),
        *(("drop<0.3 or speedup>2", P, other, P) for other in (P, U, F)),
        *(("drop<0.3 or speedup>2", U, other, verdict) for other, verdict in ((P, P), (U, U), (F, U))),
        *(("drop<0.3 or speedup>2", F, other, other) for other in (P, U, F)),
    ],
)
def test_kleene_s_tables(text: str, one: Verdict, other: Verdict, verdict: Verdict) -> None:
    assert combined(parse(text), {A: one, C: other}) is verdict  # type: ignore[dict-item]


def test_what_is_not_known_makes_no_verdict_that_knowing_it_could_change() -> None:
    """Whatever the comparisons that could not be told are in truth, a PASS or FAIL without them stays."""
    condition = parse(f"({EITHER}) and (size-ratio<0.5 or drop<0.3)")
    every = list(dict.fromkeys(comparisons(condition)))
    for known in product((P, F, U), repeat=len(every)):
        verdicts = dict(zip(every, known, strict=True))
        verdict = combined(condition, verdicts)
        for truth in product((P, F), repeat=len(every)):
            told = {
                one: value if verdicts[one] is U else verdicts[one] for one, value in zip(every, truth, strict=True)
            }
            assert verdict in (U, combined(condition, told))


@pytest.mark.parametrize(
    ("known", "left"),
    [
        ({}, [A, B, C]),
        ({A: P}, []),
        ({A: F}, [B, C]),
        ({A: F, B: F}, []),
        ({A: U, B: F}, []),  # the speedup would change nothing
        ({A: F, B: U}, [C]),  # it cannot pass any more, but it can fail
        ({A: F, B: P}, [C]),
    ],
)
def test_only_what_matters_is_left_to_measure(known: dict[Comparison, Verdict], left: list[Comparison]) -> None:
    assert open_comparisons(parse(EITHER), known) == left


def test_every_quantity_has_a_gate_and_a_keyword_whose_option_is_that_of_the_quantity() -> None:
    assert set(PARTS) == set(QUANTITIES)
    for name, part in PARTS.items():
        option = f"{'max' if QUANTITIES[name].sign == '<' else 'min'}_{name.replace('-', '_')}"
        assert get_gate(part.gate).keywords[part.keyword].option == option


@pytest.fixture
def world(tmp_path: Path, make_corpus: Any, make_script: Any) -> Path:
    """120 clips of which int8 gets one word of the twentieth wrong: 0.25 points in words of 20."""
    texts = [" ".join(f"word{chr(97 + n % 26)}{chr(97 + k)}" for k in range(20)) for n in range(COUNT)]
    corpus = make_corpus(tmp_path / "corpus", texts, {"language": ["en"] * COUNT})
    said = [text.rsplit(" ", 1)[0] + " wrong" if n % 20 == 0 else text for n, text in enumerate(texts)]
    broken = ["nothing"] * COUNT
    make_script(tmp_path / "model", corpus, {"float32": None, "int8": said, "int4-sym": broken})
    return corpus


def judged(run: GateRunner, condition: str | None = None) -> Judgement:
    given = {} if condition is None else {"condition": condition}
    return run.judge("limit", run.config.candidates[0], **given).judgement


def test_one_limit_is_judged_as_its_own_gate_judges_it(world: Path, start_run: StartRun) -> None:
    run = start_run()
    alone = run.judge("accuracy", run.config.candidates[0], max_drop=3).judgement
    together = judged(run, "drop<3")
    assert together.checks == alone.checks
    assert (together.verdict, together.condition, together.combined) == (P, "drop<3", P)
    assert together.id == "limit/scripted:int8"


def test_what_is_said_of_terms_counts_in_a_condition(world: Path, start_run: StartRun, tmp_path: Path) -> None:
    """Every clip has a term. Of its two quantities each is one check of the gate."""
    terms = tmp_path / "terms.txt"
    terms.write_text("".join(f"word{chr(97 + n)}a\n" for n in range(26)), encoding="utf-8")
    run = start_run(terms=str(terms))
    judgement = judged(run, "recall-drop<50 and false-alarms<50")
    assert [(check.name, check.verdict) for check in judgement.checks] == [("recall drop", P), ("false terms", P)]


def test_a_pass_beside_a_fail_is_a_pass_and_a_judgement_survives_its_journey(world: Path, start_run: StartRun) -> None:
    judgement = judged(start_run(), "size-ratio<0.5 or drop<3")
    assert [(check.name, check.verdict) for check in judgement.checks] == [("size", F), ("drop", P)]
    assert judgement.verdict is P
    assert Judgement.from_dict(judgement.to_dict()) == judgement
    assert judgement.reported().checks == ()
    assert judgement.reported().verdict is U  # it demands nothing


def test_what_cannot_be_told_is_no_pass(world: Path, start_run: StartRun) -> None:
    """A drop of 0.25 within bounds on both sides of the limit, and a size that fails."""
    assert judged(start_run(), "drop<0.26").verdict is U
    assert judged(start_run(), "drop<0.26 or size-ratio<0.5").verdict is U
    assert judged(start_run(), "drop<0.26 and size-ratio<2").verdict is U
    assert judged(start_run(), "drop<0.26 and size-ratio<0.5").verdict is F


def test_ways_to_pass_share_the_error(world: Path, start_run: StartRun) -> None:
    one, two, three = (
        judged(start_run(), text).checks[0].confidence
        for text in ("drop<3 and divergence<0.5", "drop<3 or speedup>2", "(drop<3 or speedup>2) or divergence<0.5")
    )
    assert (one, two, three) == (0.95, pytest.approx(0.975), pytest.approx(1 - 0.05 / 3))


def test_nothing_is_timed_where_the_drop_decides(
    world: Path, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ScriptedTranscriber, "prepare", timed)
    assert judged(start_run(), "drop<3 or speedup>2").verdict is P
    failed = judged(start_run(candidate="scripted:int4-sym"), "drop<1 and speedup>2")
    assert failed.verdict is F
    assert failed.utterances < COUNT  # stopped early, as its own gate stops
    assert failed.notes[-1] == "not judged, for the verdict does not depend on it: speedup>2"


@pytest.mark.usefixtures("virtual_time")
def test_a_speedup_makes_up_for_a_drop(tmp_path: Path, world: Path, start_run: StartRun, decoded: list[int]) -> None:
    script = tmp_path / "model" / "scripted.json"
    said = json.loads(script.read_text())
    said["float32"]["seconds"], said["int8"]["seconds"] = (
        {"encoder": 0.4, "token": 0.02},
        {"encoder": 0.1, "token": 0.005},
    )
    script.write_text(json.dumps(said))
    run = start_run(timing_budget="60")
    judgement = judged(run, "drop<0.1 or (drop<3 and speedup>2)")
    assert [(check.name, check.verdict) for check in judgement.checks] == [
        ("drop", U),
        ("drop", P),
        ("pipeline speedup", P),
    ]
    assert judgement.verdict is P
    heard = sum(size for size in decoded if size > 1)
    assert heard == 2 * COUNT  # once by each model, whatever was timed besides
    assert judged(run, "drop<0.1 or (drop<3 and speedup>9)").verdict is U
    assert sum(size for size in decoded if size > 1) == heard


@pytest.mark.parametrize(
    ("quantity", "limit", "check"),
    [
        ("divergence", 0.5, "divergence"),
        ("exact-match", 0.5, "exact match"),
        ("catastrophes", 0.5, "new catastrophes"),
        ("language-agreement", 0.5, "same language"),
        ("shift", 9, "moved segments"),
    ],
)
def test_every_quantity_of_the_corpus_is_one_check(
    world: Path, start_run: StartRun, quantity: str, limit: float, check: str
) -> None:
    (found, *others) = judged(start_run(min_exact_match="0.1"), f"{quantity}{QUANTITIES[quantity].sign}{limit}").checks
    assert found.name == check
    assert found.verdict is P
    assert {other.name for other in others} <= {"moved words"}


def test_the_option_has_the_condition_that_a_test_leaves_out(world: Path, start_run: StartRun) -> None:
    assert judged(start_run(limit="drop<3")).condition == "drop<3"
    assert judged(start_run(limit="drop<3"), "drop<4").condition == "drop<4"
    with pytest.raises(ConfigError, match="whisperq_limit: has no condition; write one"):
        judged(start_run())


def test_random_weights_are_asked_for_their_size_and_not_for_words() -> None:
    parts = get_gate("limit").made_of
    assert [gate.name for gate in parts({"condition": "size-ratio<1 and speedup>1"})] == ["size", "speedup"]
    assert not any(gate.hears_speech for gate in parts({"condition": "size-ratio<1 and speedup>1"}))
    assert any(gate.hears_speech for gate in parts({"condition": "size-ratio<1 and drop<1"}))
