"""The parity gate: both of its checks have to pass."""

from collections.abc import Callable

from pytest_whisperq.gates.parity import judge_parity
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts

Pairs = Callable[..., PairedTexts]
TEN = list("abcdefghij")


def parity(texts: PairedTexts, min_exact_match: float | None = 0.8, max_divergence: float = 0.05) -> Outcome:
    return judge_parity(texts, min_exact_match=min_exact_match, max_divergence=max_divergence, confidence=0.95, seed=0)


def test_parity_needs_both_checks(make_pairs: Pairs) -> None:
    references = [" ".join(TEN)] * 400
    slightly = [" ".join(["x", *TEN[1:]]) if n % 2 else " ".join(TEN) for n in range(400)]
    by_name = {c.name: c.verdict for c in parity(make_pairs(references, None, slightly), 0.8, 0.1).judgement.checks}
    assert by_name == {"exact match": Verdict.FAIL, "divergence": Verdict.PASS}
    badly = [" ".join(["x"] * 10) if n % 8 == 0 else " ".join(TEN) for n in range(400)]
    by_name = {c.name: c.verdict for c in parity(make_pairs(references, None, badly), 0.8, 0.05).judgement.checks}
    assert by_name == {"exact match": Verdict.PASS, "divergence": Verdict.FAIL}
    assert parity(make_pairs(references, None, badly)).judgement.verdict is Verdict.FAIL


def test_without_a_limit_on_it_exact_match_is_reported(make_pairs: Pairs) -> None:
    """Of thirty words one in a hundred changed: every fourth text does, which is no worse than of three."""
    references = [" ".join(TEN * 3)] * 200
    one_in_four = [" ".join(["x", *(TEN * 3)[1:]]) if n % 4 == 0 else text for n, text in enumerate(references)]
    judgement = parity(make_pairs(references, None, one_in_four), None).judgement
    assert [check.name for check in judgement.checks] == ["divergence"]
    assert judgement.verdict is Verdict.PASS
    (exact,) = judgement.figures
    assert exact.name == "exact match, %"
    assert exact.value == 75
    assert exact.lower is not None
    assert exact.upper is not None
    assert 65 < exact.lower < 75 < exact.upper < 85
