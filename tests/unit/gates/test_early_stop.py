"""Decoding stops where accuracy has failed, at the same place whatever is cached, and nothing else gets a verdict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.gates.runner import GateRunner, run_gates
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.system.errors import ConfigError, DecodeError

StartRun = Callable[..., GateRunner]
COUNT = 120


@pytest.fixture
def world(tmp_path: Path, make_corpus: Any, make_script: Any) -> Path:
    """120 clips of four words, the last three of them without speech; int8 gets two words of four wrong."""
    texts = [f"grey number {n} here" if n < COUNT - 3 else "" for n in range(COUNT)]
    kinds = ["speech" if text else "nonspeech" for text in texts]
    corpus = make_corpus(tmp_path / "corpus", texts, {"language": ["en"] * COUNT, "kind": kinds})
    half = [text.replace("grey number", "some nonsense") for text in texts]
    make_script(tmp_path / "model", corpus, {"float32": None, "int8": half, "int4-sym": None})
    return corpus


def accuracy(run: GateRunner, **limits: Any) -> Outcome:
    return run.judge("accuracy", run.config.candidates[0], **limits)


def test_a_broken_candidate_is_failed_on_a_part_that_is_named(
    world: Path, start_run: StartRun, decoded: list[int]
) -> None:
    judgement = accuracy(start_run(decode_batch="4")).judgement
    (check,) = judgement.checks
    assert judgement.verdict is Verdict.FAIL
    assert check.value == 50.0
    assert (check.lower, check.upper) == (None, None)
    assert check.reason == (
        f"broken beyond doubt after {judgement.utterances} of 117 utterances in random order: a drop within the limit "
        "would ever look like this in less than 1 % of runs; --whisperq-early-stop=false decodes all of it"
    )
    assert judgement.utterances < 12
    assert sum(decoded) - COUNT <= judgement.utterances + 3  # to the end of the batch


def test_of_two_speakers_the_utterances_come_in_random_order(
    tmp_path: Path, make_corpus: Any, make_script: Any, start_run: StartRun, decoded: list[int]
) -> None:
    """Speaker by speaker there were two steps, and five are needed: all of the corpus was decoded."""
    texts = [f"grey number {n} here" for n in range(COUNT)]
    speakers = [f"speaker{n % 2}" for n in range(COUNT)]
    corpus = make_corpus(tmp_path / "corpus", texts, {"language": ["en"] * COUNT, "cluster": speakers})
    half = [text.replace("grey number", "some nonsense") for text in texts]
    make_script(tmp_path / "model", corpus, {"float32": None, "int8": half, "int4-sym": None})
    judgement = accuracy(start_run(decode_batch="4")).judgement
    assert judgement.verdict is Verdict.FAIL
    assert judgement.utterances < 12
    assert any("for these 2 clusters alone" in note for note in judgement.notes)


def test_what_is_cached_does_not_matter(world: Path, start_run: StartRun, decoded: list[int]) -> None:
    cold = accuracy(start_run(decode_batch="4"))
    count = sum(decoded)
    assert accuracy(start_run(decode_batch="4")) == cold
    assert sum(decoded) == count  # a warm run decodes nothing
    whole = start_run()
    assert len(whole.session.model(whole.config.candidates[0]).transcripts.texts) == COUNT
    assert accuracy(whole) == cold
    assert accuracy(start_run()) == cold


def test_the_seed_chooses_the_part(world: Path, start_run: StartRun) -> None:
    parts = [{item.utterance.id for item in accuracy(start_run(seed=seed)).worst} for seed in ("1", "2")]
    assert parts[0] != parts[1]


def test_a_good_candidate_is_decoded_once_and_keeps_its_interval(
    world: Path, start_run: StartRun, decoded: list[int]
) -> None:
    judgement = accuracy(start_run(candidate="scripted:int4-sym", max_drop="5")).judgement
    assert judgement.verdict is Verdict.PASS
    assert judgement.utterances == 117
    assert sum(decoded) == 2 * COUNT
    plain = accuracy(start_run(candidate="scripted:int4-sym", max_drop="5", early_stop="false")).judgement
    assert judgement.checks[0].upper == plain.checks[0].upper  # what passes is as before
    assert judgement.checks[0].lower <= plain.checks[0].lower  # what fails has spent a part of its error


def test_it_can_be_switched_off(world: Path, start_run: StartRun, decoded: list[int]) -> None:
    judgement = accuracy(start_run(early_stop="false")).judgement
    assert judgement.utterances == 117
    assert judgement.checks[0].lower is not None
    assert sum(decoded) == 2 * COUNT


@pytest.mark.parametrize("gate", ["parity", "catastrophe", "language"])
def test_other_gates_of_a_broken_candidate_neither_decode_the_rest_nor_judge(
    world: Path, start_run: StartRun, decoded: list[int], gate: str
) -> None:
    run = start_run(max_divergence="0.9", min_exact_match="0")
    (candidate,) = run.config.candidates
    run.declare_accuracy(candidate)
    judgement = run.judge(gate, candidate).judgement
    assert {check.verdict for check in judgement.checks} == {Verdict.INCONCLUSIVE}
    assert {(check.lower, check.upper) for check in judgement.checks} == {(None, None)}
    assert judgement.checks[0].reason == (
        f"decoding stopped after {judgement.utterances} of 117 utterances, where accuracy had failed; what was stopped "
        "for its errors tells nothing else; --whisperq-early-stop=false decodes all of it"
    )
    assert judgement.detail("no_regression_lower") is None
    assert sum(decoded) < 2 * COUNT


def test_a_gate_alone_decodes_all_of_it(world: Path, start_run: StartRun) -> None:
    run = start_run()
    assert run.judge("parity", run.config.candidates[0]).judgement.verdict is Verdict.FAIL
    accuracy(run)  # was not declared, and comes later
    assert run.judge("parity", run.config.candidates[0]).judgement.utterances == 117


def test_decoding_goes_on_for_the_most_lenient_gate(world: Path, start_run: StartRun, decoded: list[int]) -> None:
    run = start_run()
    (candidate,) = run.config.candidates
    for limit in (1.0, 60.0):
        run.declare_accuracy(candidate, max_drop=limit)
    assert run.judge("parity", candidate).judgement.verdict is Verdict.FAIL
    assert accuracy(run, max_drop=60.0).judgement.verdict is Verdict.PASS
    assert accuracy(run, max_drop=1.0).judgement.utterances < 12
    assert sum(decoded) == 2 * COUNT


def test_the_extended_looks_stop_with_the_first(world: Path, start_run: StartRun, decoded: list[int]) -> None:
    run = start_run(max_utterances="60", on_inconclusive="extend", decode_batch="4")
    (candidate,) = run.config.candidates
    run.declare_accuracy(candidate)
    parity = run.judge("parity", candidate).judgement
    assert parity.verdict is Verdict.INCONCLUSIVE
    (check,) = run.judge("accuracy", candidate).judgement.checks
    assert "in less than 0.5 % of runs" in check.reason  # each of two looks has half of the error
    assert sum(decoded) <= 60 + parity.utterances + 3


def test_a_run_without_pytest_stops_too(world: Path, start_run: StartRun) -> None:
    report = run_gates(start_run().config)
    assert [(j.gate, j.verdict) for j in report.judgements] == [
        ("parity", Verdict.INCONCLUSIVE),
        ("accuracy", Verdict.FAIL),
    ]


def test_a_limit_without_its_unit_is_refused(start_run: StartRun) -> None:
    run = start_run()
    with pytest.raises(ConfigError, match="drop_type='relative' needs its own max_drop, in per cent"):
        run.declare_accuracy(run.config.candidates[0], drop_type="relative")


def test_a_model_that_fails_is_not_tried_again(
    tmp_path: Path, world: Path, start_run: StartRun, make_script: Any, decoded: list[int]
) -> None:
    make_script(tmp_path / "model", world, {"float32": None, "int8": [None] * COUNT})
    run = start_run(decode_batch="120")
    for _ in range(2):
        with pytest.raises(DecodeError, match="the script has no text"):
            accuracy(run)
    assert decoded == [COUNT, COUNT]
