"""What a failing gate says, and the table at the end of a run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_whisperq.gates.accuracy import judge_accuracy
from pytest_whisperq.gates.parity import judge_parity
from pytest_whisperq.gates.slices import judge_slices
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.measuring.pairs import PairedTexts
from pytest_whisperq.measuring.sequential import AccuracyLimit
from pytest_whisperq.reporting.terminal import dependence, explain, summary_table
from pytest_whisperq.speech import normalizers

Pairs = Callable[..., PairedTexts]


@pytest.fixture
def texts(make_pairs: Pairs) -> PairedTexts:
    """Forty clips of four words, in every second of which the candidate gets one wrong."""
    return make_pairs(["a bb c d"] * 40, None, ["a x c d" if n % 2 else "a bb c d" for n in range(40)])


def accuracy(texts: PairedTexts, **keywords: Any) -> Outcome:
    return judge_accuracy(texts, **{"max_drop": 1.0, "confidence": 0.95, "seed": 3, **keywords})


def parity(texts: PairedTexts) -> Outcome:
    return judge_parity(texts, min_exact_match=0.8, max_divergence=0.05, confidence=0.95, seed=3)


def test_a_failing_gate_says_everything_one_needs_to_know(texts: PairedTexts) -> None:
    lines = explain(accuracy(texts), "pytest suites -k this").splitlines()
    assert lines[0] == "whisperq accuracy gate: FAIL"
    assert "scripted:int8, runs int8; against scripted:float32" in lines[1]
    assert "corpus made: 40 utterances, 160 words" in lines[2]
    assert "normalizer identity (1); seed 3" in lines[3]
    assert "WER 0.00 % → 12.50 %" in lines[4]
    assert "drop: +12.50 points (must stay below 1); bounds at 95%: +" in lines[5]
    assert "FAIL: even the more favourable bound is not below the limit" in lines[6]
    assert lines[-1] == "  replay: pytest suites -k this"


def test_a_failing_gate_names_the_id_a_waiver_needs_or_the_terms_of_its_waiver(texts: PairedTexts) -> None:
    lines = explain(accuracy(texts), "x").splitlines()
    assert lines[-2] == '  a waiver would name id = "accuracy/scripted:int8"'
    lines = explain(accuracy(texts), "x", "waived until 2030-01-31: next release").splitlines()
    assert lines[-2] == "  waived until 2030-01-31: next release"


def test_the_table_marks_a_waived_gate_and_keeps_its_verdict(texts: PairedTexts) -> None:
    judgements = [parity(texts).judgement, accuracy(texts).judgement]
    table = summary_table(judgements, waived=["", "2030-01-31"], width=80, colour=False)
    assert table.count("waived until") == 1
    *_, drop, waived = table.splitlines()
    assert drop.split()[0] == "drop,"
    assert drop.endswith("FAIL")
    assert waived.split() == ["waived", "until", "2030-01-31", "waived"]


def test_a_failing_gate_lists_other_normalizers_and_says_if_they_disagree(make_pairs: Pairs) -> None:
    raw = make_pairs(["A b, c d"] * 40 + ["[x]"], None, ["a B c d"] * 40 + ["[x]"])
    lines = explain(accuracy(raw, max_drop=30.0, others=normalizers.compared(raw.normalizer)), "x").splitlines()
    start = lines.index("  the same transcripts under other normalizers:")
    basic, by_language, dependent = lines[start + 1 : start + 4]
    assert basic.startswith("    whisper-basic (whisper-normalizer 0.")
    assert "): WER 0.00 % → 0.00 %, drop +0.00, bounds at 95%: " in basic
    assert basic.endswith(": PASS; 1 of 41 utterances left out, it leaves nothing of them")
    assert by_language.startswith("    by-language (")
    assert dependent.startswith("  the verdict depends on the normalizer: FAIL under identity (1), PASS under whisper")


def test_a_normalizer_under_which_the_baseline_is_broken_is_no_witness(make_pairs: Pairs) -> None:
    """Transcripts in capital letters, as LibriSpeech's: as they are, both models get every word wrong."""
    raw = make_pairs(["A BB C D"] * 400, ["a bb c d"] * 400, ["a x c d" if n % 2 else "a bb c d" for n in range(400)])
    texts = raw.under(normalizers.get("whisper-basic"))
    outcome = accuracy(texts, others=normalizers.compared(texts.normalizer))
    assert outcome.judgement.verdict.value == "FAIL"
    assert {one.check.verdict.value for one in outcome.judgement.scores} == {"FAIL", "INCONCLUSIVE"}
    assert dependence(outcome.judgement) == ""
    (identity,) = [line for line in explain(outcome, "x").splitlines() if line.startswith("    identity (1): WER")]
    assert identity.startswith("    identity (1): WER 100.00 % → 100.00 %, drop ")
    assert identity.endswith(": no verdict, less than half of the baseline's accuracy is left")


def test_a_loop_is_explained_in_a_few_columns(make_pairs: Pairs) -> None:
    texts = make_pairs(
        ["a bb c d"] * 40, None, ["a bb c d " + "would " * 200 if n == 7 else "a bb c d" for n in range(40)]
    )
    lines = explain(accuracy(texts), "x").splitlines()
    assert [line.strip() for line in lines if line.startswith("      ")][-3:] == [
        "reference  a bb c d ***** ****",
        "baseline   a bb c d ***** ****",
        "candidate  a bb c d would ×200",
    ]


def test_agreement_is_not_worth_a_warning(texts: PairedTexts) -> None:
    outcome = accuracy(texts, others=normalizers.compared(texts.normalizer))
    assert dependence(outcome.judgement) == ""
    text = explain(outcome, "x")
    assert "under other normalizers" in text
    assert "depends" not in text
    assert "under other normalizers" not in explain(accuracy(texts), "x")


def test_the_worst_utterances_show_three_aligned_texts(texts: PairedTexts) -> None:
    text = explain(accuracy(texts), "x")
    assert "worst 5 utterances (words):" in text
    assert (
        "    clip0001.wav  +1  (metadata.csv:3)\n"
        "      reference  a bb c d\n"
        "      baseline   a bb c d\n"
        "      candidate  a x  c d\n"
    ) in text


def test_rates_are_shown_in_per_cent(texts: PairedTexts) -> None:
    text = explain(parity(texts), "x")
    assert "exact match: 50.00 % of utterances (must stay above 80); bounds at 95%: " in text
    assert "divergence: 12.50 % of words (must stay below 5)" in text


def test_a_gate_on_characters_counts_characters(texts: PairedTexts) -> None:
    text = explain(accuracy(texts, metric="cer"), "x")
    assert "CER 0.00 % → " in text
    assert "CER drop: +" in text
    assert "utterances (characters):" in text


def test_what_was_not_measured_is_called_none(make_pairs: Pairs) -> None:
    silent = make_pairs([""], kinds=["nonspeech"])
    text = explain(accuracy(silent), "x")
    assert "drop: none points (must stay below 1); bounds at 95%: none … none" in text
    assert "INCONCLUSIVE: nothing to measure" in text
    assert "none … none" in summary_table([accuracy(silent).judgement], width=100, colour=False)


@pytest.mark.parametrize(("confidence", "shown"), [(0.9, "90%"), (0.995, "99.5%"), (0.9999, "99.99%")])
def test_confidence_is_never_rounded_up(confidence: float, shown: str, texts: PairedTexts) -> None:
    outcome = accuracy(texts, confidence=confidence)
    assert f"bounds at {shown}:" in explain(outcome, "x")
    assert f"{shown} bounds" in summary_table([outcome.judgement], width=100, colour=False)


def test_the_table_has_one_row_a_check_and_the_error_rates(texts: PairedTexts) -> None:
    table = summary_table([parity(texts).judgement, accuracy(texts).judgement], width=100, colour=False)
    lines = [line.split() for line in table.splitlines()]
    assert lines[0] == ["scripted:int8,", "runs", "int8;", "0.0", "MB,", "built", "in", "0.0", "s"]
    rows = [line for line in lines if line[:1] in (["exact"], ["divergence,"], ["drop,"], ["WER,"])]
    assert [(row[0], row[-1]) for row in rows] == [
        ("exact", "FAIL"),
        ("divergence,", "FAIL"),
        ("WER,", "12.50"),
        ("drop,", "FAIL"),
    ]
    assert rows[0][1:5] == ["match,", "%", "50.00", rows[0][4]]
    assert rows[3][-3:] == ["<", "1", "FAIL"]


def test_the_table_is_plain_without_colour_and_keeps_no_trailing_blanks(texts: PairedTexts) -> None:
    plain = summary_table([accuracy(texts).judgement], width=100, colour=False)
    assert "\x1b" not in plain
    assert all(line == line.rstrip() for line in plain.splitlines())
    assert "\x1b[1;31mFAIL" in summary_table([accuracy(texts).judgement], width=100, colour=True)


@pytest.mark.parametrize(
    ("width", "missing"),
    [(20, "95% bounds, limit"), (50, "95% bounds"), (60, "limit"), (79, ""), (80, ""), (200, "")],
)
def test_no_terminal_is_too_narrow_for_figures_and_verdicts(width: int, missing: str, texts: PairedTexts) -> None:
    outcome = accuracy(texts, drop_type="accuracy-ratio")
    table = summary_table([outcome.judgement, parity(texts).judgement], width=width, colour=False)
    assert table.count("FAIL") == 3
    assert "+12.50" in table
    assert "0.00 → 12.50" in table
    assert max(map(len, table.splitlines())) <= max(width, 40)
    assert table.partition("no room for: ")[2] == missing
    assert ("…" in table) == ("bounds" not in missing)


def test_names_in_brackets_are_no_markup(make_pairs: Pairs) -> None:
    """A corpus may call a noise ``[noise]``, or ``[/b]``, which closes what nobody has opened; and a test its input."""
    noises = ["[noise]", "[/b]", ":car:", "[red]"]
    slices = [{"noise": noises[number % 4]} for number in range(800)]
    texts = make_pairs(["a bb c d"] * 800, slices=slices)
    whole = accuracy(texts, max_drop=9.0)
    limit = AccuracyLimit(max_drop=9.0, metric="wer", drop_type="absolute", bounds="score", seed=0)
    judged = judge_slices(whole, texts, limit, confidence=0.95).judgement
    judged = replace(judged, compute_type="[int8]", candidate="own:[/x]")
    table = summary_table([judged, judged], tests=["test_[/a]", "test_[b]"], width=100, colour=False)
    for name in (*noises, "own:[/x], runs [int8]", "test_[/a]", "test_[b]"):
        assert name in table
    assert "\x1b[1mown:[/x]" in summary_table([judged], width=100, colour=True)


def test_candidates_are_kept_apart(texts: PairedTexts, make_pairs: Pairs) -> None:
    from dataclasses import replace

    judgement = accuracy(texts).judgement
    other = replace(judgement, candidate="openvino:int4-sym", compute_type="f32")
    table = summary_table([judgement, other, judgement], width=100, colour=False)
    assert table.index("scripted:int8, runs int8") < table.index("openvino:int4-sym, runs f32")
    assert table.count("runs int8") == 1
    assert table.count("FAIL") == 3
