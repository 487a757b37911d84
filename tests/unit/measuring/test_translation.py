"""Translations scored by sacrebleu, with bounds on what a candidate loses."""

import numpy as np
import pytest

from pytest_whisperq.measuring.translation import (
    METRICS,
    TranslationMeasurement,
    TranslationMetric,
    measure_translation,
    scorer,
)

sacrebleu = pytest.importorskip("sacrebleu")

WORDS = ["one", "two", "three", "four", "monday", "april", "third", "minutes", "hours", "ninety", "eleven", "august"]


def sentences(count: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, 6)) for _ in range(count)]


def spoiled(texts: list[str], share: float) -> list[str]:
    random = np.random.default_rng(1)
    return [" ".join("xyzzy" if random.random() < share else word for word in text.split()) for text in texts]


def measured(
    references: list[str],
    baseline: list[str],
    candidate: list[str],
    *,
    metric: TranslationMetric = "chrf",
    clusters: list[str] | None = None,
) -> TranslationMeasurement:
    transcripts = ["lunes"] * len(references)
    names = clusters or [""] * len(references)
    return measure_translation(references, baseline, candidate, transcripts, names, metric=metric, confidence=0.95)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_those_of_sacrebleu(metric: TranslationMetric) -> None:
    references = sentences(40)
    baseline, candidate = spoiled(references, 0.1), spoiled(references, 0.3)
    found = measured(references, baseline, candidate, metric=metric)
    before, after = (
        getattr(sacrebleu, f"corpus_{metric}")(texts, [references]).score for texts in (baseline, candidate)
    )
    assert found.baseline == pytest.approx(before)
    assert found.candidate == pytest.approx(after)
    assert found.drop.value == pytest.approx(before - after)
    assert "nrefs:1" in found.signature
    assert sacrebleu.__version__ in found.signature


@pytest.mark.parametrize("metric", METRICS)
def test_the_jackknife_is_a_t_interval_where_the_score_is_a_mean(metric: TranslationMetric) -> None:
    """A plain sum makes a mean of clusters, whose jackknife has the standard error that everybody knows."""
    from pytest_whisperq.measuring import translation

    by = scorer(metric)._replace(score=lambda sums: float(sums[0] / sums[1]))
    random = np.random.default_rng(0)
    rows = np.column_stack([random.normal(5, 1, 50), np.ones(50), random.normal(3, 1, 50), np.ones(50)])
    lower, upper = translation._jackknife(rows, by, 0.95)
    differences = rows[:, 0] - rows[:, 2]
    half = 1.677 * differences.std(ddof=1) / 50**0.5  # Student's t of 48 degrees of freedom
    assert (lower, upper) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=1e-3)


def test_a_planted_loss_is_found_and_none_is_not() -> None:
    references = sentences(200)
    baseline = spoiled(references, 0.1)
    same, worse = measured(references, baseline, baseline), measured(references, baseline, spoiled(references, 0.4))
    assert same.drop.value == 0
    assert same.drop.upper is not None
    assert 0 < same.drop.upper < 1  # no more than one sentence among so many
    assert worse.drop.lower is not None
    assert worse.drop.lower > 15


def test_what_nothing_happened_to_proves_little_on_few_and_more_on_many() -> None:
    uppers = [measured(texts, texts, texts).drop.upper or 0 for texts in map(sentences, (10, 100, 1000))]
    assert uppers[0] > 5 * uppers[1] > 25 * uppers[2] > 0


def test_fewer_than_five_clusters_bound_nothing() -> None:
    references = sentences(40)
    found = measured(references, references, spoiled(references, 0.2), clusters=[str(place % 4) for place in range(40)])
    assert (found.drop.lower, found.drop.upper, found.drop.clusters) == (None, None, 4)


def test_sentences_of_one_cluster_are_one_piece_of_evidence() -> None:
    references = sentences(60)
    candidate = [text if place >= 10 else "" for place, text in enumerate(references)]
    alone = measured(references, references, candidate)
    together = measured(references, references, candidate, clusters=[str(place // 10) for place in range(60)])
    assert alone.drop.value == together.drop.value
    assert (together.drop.upper or 0) - (together.drop.value or 0) > 1.5 * (
        (alone.drop.upper or 0) - (alone.drop.value or 0)
    )


def test_what_each_sentence_loses_is_told() -> None:
    references = ["monday april third", "one two three"]
    found = measured(references, references, ["monday april third", ""])
    assert found.lost == pytest.approx((0, 100))
    assert found.untranslated < 20
