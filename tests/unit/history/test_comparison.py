"""Two stored runs side by side: what is compared, what is refused and why, and what it is put down to."""

import re
from collections.abc import Callable

import pytest

from pytest_whisperq.history.comparison import compare, difference
from pytest_whisperq.history.document import StoredRun
from pytest_whisperq.judging.verdict import Check, Figure, Judgement, Verdict
from pytest_whisperq.speech import normalizers
from pytest_whisperq.system.errors import ConfigError

MakeStored = Callable[..., StoredRun]
FLAT, WORSE = [0] * 300, [1] * 300


def test_a_loss_of_the_candidate_alone_is_put_down_to_quantization(make_stored: MakeStored) -> None:
    old = make_stored("old.json", {"base": FLAT, "int8": FLAT})
    new = make_stored("new.json", {"base": FLAT, "int8": WORSE}, changes={"models.int8.calibration": "on 8 clips"})
    (found,) = compare(old, new).candidates
    assert found.rates == ((0, 0), (0, pytest.approx(100 / 6)))
    (words,) = found.words
    assert words.startswith("Beyond that the candidate got worse by +16.67 points (")
    assert words.endswith(
        "against its baseline: quantization, or the runtime it runs in. "
        "What changed there: calibration unknown → on 8 clips."
    )


def test_a_loss_of_both_is_put_down_to_model_or_library(make_stored: MakeStored) -> None:
    old = make_stored("old.json", {"base": FLAT, "int8": FLAT})
    changes = {"models.base.versions": {"torch": "2"}, "models.base.source_identity": "2"}
    new = make_stored("new.json", {"base": WORSE, "int8": WORSE}, changes=changes)
    (words,) = compare(old, new).candidates[0].words
    assert words.startswith("The baseline got worse by +16.67 points (")
    assert words.endswith(
        "base model or library. What changed there: another checkpoint under the name micro; torch absent → 2."
    )


def test_a_change_for_which_nothing_on_record_accounts_is_called_that(make_stored: MakeStored) -> None:
    old, new = (make_stored("a.json", {"base": errors, "int8": FLAT}) for errors in (WORSE, FLAT))
    base, candidate, itself = compare(old, new).candidates[0].words
    assert "The baseline got better by -16.67" in base
    assert base.endswith("Nothing on record changed there.")
    assert "the candidate got worse by +16.67" in candidate
    assert itself.startswith("By itself it did not change beyond chance: +0.00 points (")


def test_other_weights_and_another_processor_are_on_record(make_stored: MakeStored) -> None:
    old = make_stored("a.json", {"base": FLAT, "int8": FLAT})
    changes = {"models.int8.identity": "v", "environment.cpu": "x86_64 avx512_vnni"}
    new = make_stored("b.json", {"base": FLAT, "int8": WORSE}, changes=changes)
    (words,) = compare(old, new).candidates[0].words
    assert words.endswith("What changed there: its weights are others; processor x86_64 → x86_64 avx512_vnni.")


def test_no_change_is_said_with_its_bounds(make_stored: MakeStored) -> None:
    run = make_stored("a.json", {"base": FLAT, "int8": FLAT})
    (words,) = compare(run, run).candidates[0].words
    assert words.startswith("No change beyond chance: baseline +0.00 points (-")


def test_candidates_are_paired_by_name_or_as_told(make_stored: MakeStored) -> None:
    old = make_stored("old.json", {"base": FLAT, "a": FLAT, "b": WORSE})
    new = make_stored("new.json", {"base": FLAT, "b": WORSE, "c": WORSE})
    assert [(one.old, one.new) for one in compare(old, new).candidates] == [("b", "b")]
    assert [(one.old, one.new) for one in compare(old, new, pairs={"c": "a"}).candidates] == [("a", "c")]
    with pytest.raises(ConfigError, match=r"new\.json: has no candidate 'x'; it has b, c"):
        compare(old, new, pairs={"x": "a"})
    with pytest.raises(ConfigError, match=r"old\.json: has no candidate 'c'; it has a, b"):
        compare(old, new, pairs={"c": "c"})


def test_one_candidate_on_each_side_belongs_together_whatever_it_is_called(make_stored: MakeStored) -> None:
    old = make_stored("old.json", {"base": FLAT, "float32": FLAT})
    new = make_stored("new.json", {"base": FLAT, "int8": WORSE})
    (found,) = compare(old, new).candidates
    assert "What changed there: float32 → int8." in found.words[0]
    several = make_stored("new.json", {"base": FLAT, "int8": WORSE, "int4": WORSE})
    refused = compare(old, several).refused
    assert refused.startswith("no candidate is in both runs: old.json has float32, new.json has int8, int4; say which")
    assert refused.endswith("--pair NEW=OLD")


def test_a_candidate_that_did_not_hear_everything_is_none(make_stored: MakeStored) -> None:
    old = make_stored("old.json", {"base": FLAT, "int8": FLAT, "int4": FLAT})
    new = make_stored("new.json", {"base": FLAT, "int8": FLAT, "int4": FLAT})
    del new.document["utterances"][7]["errors"]["int4"]
    found = compare(old, new)
    assert [one.new for one in found.candidates] == ["int8"]
    assert found.left_out == (
        "not compared: int4 of old.json has no partner in the other run",
        "not compared: int4 of new.json was stopped before it had heard the whole corpus",
    )


def test_one_that_was_stopped_is_not_replaced_by_another(make_stored: MakeStored) -> None:
    old = make_stored("old.json", {"base": FLAT, "int8": FLAT})
    new = make_stored("new.json", {"base": FLAT, "int8": WORSE, "int4": FLAT})
    del new.document["utterances"][7]["errors"]["int8"]
    assert "no candidate is in both runs" in compare(old, new).refused


def test_runs_without_transcripts_are_refused_and_their_speed_is_compared(make_stored: MakeStored) -> None:
    runs = [make_stored("a.json", {"base": FLAT}, changes={"gates": [speed(value)]}) for value in (1.5, 2.0)]
    for run in runs:
        for row in run.document["utterances"]:
            row["errors"] = {}
    found = compare(*runs)
    assert found.refused == "the baseline of a.json did not hear the corpus; save a run with an accuracy gate"
    assert len(found.speed) == 2


@pytest.mark.parametrize(
    ("changes", "ids", "reason"),
    [
        (
            {"settings.normalizer": "other (2)", "redacted": True},
            None,
            r"the normalizer changed: identity \(1\), now other \(2\)",
        ),
        ({"settings.metric": "cer"}, None, "what is counted changed: wer, now cer"),
        ({}, ["0", "1", "x"], r"corpus changed: 1 recordings added \(x.wav\); 1 recordings gone \(2.wav\)"),
    ],
)
def test_what_is_not_about_the_same_thing_is_explained_and_not_compared(
    make_stored: MakeStored, changes: dict[str, object], ids: list[str] | None, reason: str
) -> None:
    old = make_stored("old.json", {"base": [0] * 3, "int8": [0] * 3})
    new = make_stored("new.json", {"base": [0] * 3, "int8": [0] * 3}, ids=ids, changes=changes)
    found = compare(old, new)
    assert re.search(reason, found.refused)
    assert found.candidates == ()


def test_runs_under_two_normalizers_are_counted_under_the_old_one(make_stored: MakeStored) -> None:
    """Under whisper-basic both runs have no error, under identity the later one has one a clip."""
    published = str(normalizers.get("whisper-basic@1"))
    old = make_stored("old.json", {"base": [0] * 9, "int8": [0] * 9}, changes={"settings.normalizer": published})
    new = make_stored("new.json", {"base": [1] * 9, "int8": [1] * 9})
    for row in new.document["utterances"]:
        row |= {"reference": "a b c d e f", "language": None, "texts": dict.fromkeys(("base", "int8"), "A b c d e f.")}
    found = compare(old, new)
    assert found.refused == ""
    assert found.candidates[0].rates == ((0.0, 0.0), (0.0, 0.0))
    assert f"normalizer: {published}, now identity (1); both runs are counted under the former" in found.provenance


def test_an_edited_transcript_is_named(make_stored: MakeStored) -> None:
    old, new = (make_stored("a.json", {"base": [0] * 9, "int8": [0] * 9}) for _ in range(2))
    for number in range(5):
        new.document["utterances"][number]["said"] = "something else"
    new.document["corpus"]["digest"] = "other"
    assert difference(old, new) == (
        "the corpus changed: 5 rows with another transcript, language or cluster (0.wav, 1.wav, 2.wav and 2 more)"
    )


def test_what_counts_in_one_run_only_is_named_though_the_digests_are_the_same(make_stored: MakeStored) -> None:
    old, new = (make_stored("a.json", {"base": [0] * 9, "int8": [0] * 9}) for _ in range(2))
    new.document["utterances"][3]["errors"] = None
    assert compare(old, new).refused == "the corpus changed: 1 recordings gone (3.wav)"


def test_a_recording_that_is_listed_twice_is_two_rows(make_stored: MakeStored) -> None:
    run = make_stored("a.json", {"base": [0, 1], "int8": [1, 2]}, ids=["x", "x"])
    assert [one.errors for one in run.utterances.values()] == [{"base": 0, "int8": 1}, {"base": 1, "int8": 2}]


def speed(value: float) -> dict[str, object]:
    check = Check(
        name="pipeline speedup",
        value=value,
        limit=1,
        keep="above",
        lower=0.9 * value,
        upper=1.1 * value,
        confidence=0.95,
        unit="times",
        verdict=Verdict.PASS,
        reason="",
    )
    figure = Figure(name="encoder speedup", value=2.0)
    judgement = Judgement(gate="speedup", candidate="int8", baseline="float32", checks=(check,), figures=(figure,))
    return {"judgement": judgement.to_dict()}


def test_speed_is_compared_as_ratios_and_on_one_processor_only(make_stored: MakeStored) -> None:
    errors = {"base": FLAT, "int8": FLAT}
    old, new = (make_stored("a.json", errors, changes={"gates": [speed(value)]}) for value in (1.5, 2.0))
    assert compare(old, new).speed == (
        "int8, pipeline speedup over float32: 1.50 (1.35 … 1.65), now 2.00 (1.80 … 2.20)",
        "int8, encoder speedup over float32: 2.00, now 2.00",
    )
    retrained = make_stored("c.json", errors, changes={"gates": [speed(2.0)], "models.int8.source_identity": "2"})
    assert all(line.endswith(", of another checkpoint") for line in compare(old, retrained).speed)
    other = make_stored("b.json", errors, changes={"gates": [speed(2.0)], "environment.cpu": "aarch64"})
    (line,) = compare(old, other).speed
    assert "another processor" in line
    assert "processor: x86_64 → aarch64" in compare(old, other).provenance
