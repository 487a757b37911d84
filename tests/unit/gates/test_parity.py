"""The parity gate: both of its checks have to pass."""

from collections.abc import Callable

from pytest_whisperq.gates.parity import judge_parity
from pytest_whisperq.judging.rule import Outcome
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.measuring.pairs import PairedTexts

Pairs = Callable[..., PairedTexts]
TEN = list("abcdefghij")


def parity(texts: PairedTexts, min_exact_match: float = 0.8, max_divergence: float = 0.05) -> Outcome:
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
