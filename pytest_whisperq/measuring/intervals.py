"""Confidence bounds for ratios of sums over utterances: the one interval behind every gate.

A gate's value is θ = Σa / Σb over the corpus (for the accuracy drop: a = q − r, the errors of candidate less baseline,
b = N, the reference words). That θ stays below a margin M is the linear contrast Σ(a − M·b) < 0, whatever a and b are,
so that absolute, relative and MLPerf-style margins are one test. The bounds are all θ that a one-sided t test of that
contrast does not reject (Fieller, J. R. Stat. Soc. B 1954), with the sums of whole clusters as its observations where
utterances share recordings (Liu & Peng, arXiv:1912.09508), on G − 1 degrees of freedom for G clusters.

No test of this kind sees what did not happen: when no clip differs it collapses to zero width, and on few or rarely
wrong clips its bound covers far less than it claims (so does the percentile bootstrap). Each bound is therefore drawn
as if the corpus held one clip more, on which the unwelcome thing happened: a pseudo-clip of average length with half
its words changed, or fewer where many changes are seen and are small (`pseudo_loss`). With it a perfect score on ten
clips proves little and on a thousand proves much, as it should. Where clips come in clusters it is a cluster of average
size: what goes wrong together counts together, or thirty clusters of ten would pass for 300 clips. What the bounds then
cover is measured by tests/benchmarks/bound_coverage.py and stands in docs/statistics.md.

Rare large losses make the sums skewed, and an upper t bound too low. It is therefore moved up by what the skewness that
is seen adds (Johnson, JASA 73, 1978), and never down. Rare large gains do not move the lower bound: what it would cover
more is little, and candidates that are too bad would no longer fail.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from pytest_whisperq.measuring.groups import ClustersOfSounds, Groups, grouped, held, numbered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_CLUSTERS = 5
"""Fewer independent groups than this bound nothing."""

_AT_ONCE = 2**16
"""Numbers that are added up at once."""

IMAGINED, UP_TO = 20, 100
"""So many clusters that lose half their words are counted among those seen to change, of so many clusters or fewer.

Of more it is in proportion less: eight of 260. The more are heard, the less is left to the imagination.
"""

Between = tuple[float | None, float | None]
"""Lower and upper bound of a ratio; None where there is none."""

SHARE: Between = (0.0, 1.0)
"""What the share of some among all can be."""

RATE: Between = (0.0, None)
"""What an error rate can be: words that are added have no end."""


SUMS: Sequence[str] = ()
"""Given instead of the clusters of utterances: each row is the sum of a cluster already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A point estimate and its two one-sided bounds at ``confidence``; None where the data allow no statement.

    A confidence of None: what was counted is its own bound, and of a few runs the bounds are the extremes.
    ``unbounded`` says why there is no bound, where it is not for want of ``clusters`` or of a denominator.
    """

    value: float | None
    lower: float | None
    upper: float | None
    confidence: float | None
    clusters: int
    unbounded: str = ""


def bound_ratio(
    columns: "NDArray[np.float64]",
    clusters: Sequence[str],
    *,
    worse: Sequence[float],
    better: Sequence[float],
    confidence: float,
    lower_confidence: float | None = None,
    test: "Callable[[NDArray[np.float64], float], Between] | None" = None,
    within: Between = (None, None),
    by_piece: bool = False,
) -> Interval:
    """Bound the first column sum of ``columns``, shape (utterances, 2), over the second.

    ``clusters`` names each utterance's group; an empty name is a group of its own, and with `SUMS` each row is that of
    a whole group. ``worse`` and ``better`` are the rows of the pseudo-clips, or pseudo-groups, that move the ratio up
    and down; the upper bound is drawn with the first, the lower with the second, at ``lower_confidence`` where that is
    another one. A bound is None with fewer than `MIN_CLUSTERS` groups, or where the second sum is not clearly above
    zero: a ratio over next to nothing may be anything. ``test`` takes the sums of each group, the pseudo-clip's last,
    and a confidence, and returns both bounds; None: Fieller's. ``within`` are the least and the most that the ratio can
    be: no bound lies beyond them. ``by_piece``: clusters are pieces of long recordings, and the pseudo-clip is one
    utterance instead of a cluster.

    >>> import numpy as np
    >>> errors_and_words = np.array([(0.0, 10.0)] * 90 + [(1.0, 10.0)] * 10)
    >>> interval = bound_ratio(errors_and_words, [""] * 100, worse=(5, 10), better=(0, 10), confidence=0.95)
    >>> f"{interval.value:.3f} ({interval.lower:.3f} … {interval.upper:.3f})"
    '0.010 (0.005 … 0.025)'
    """
    import numpy as np

    test = test or _fieller

    groups = sum_by_cluster(columns, clusters)
    count = groups.shape[0]
    over, under = columns.sum(axis=0) if count else (0.0, 0.0)
    value = float(over / under) if under > 0 else None
    if value is None or count < MIN_CLUSTERS:
        return Interval(value=value, lower=None, upper=None, confidence=confidence, clusters=count)
    size = 1.0 if by_piece else columns.shape[0] / count
    lower, _ = test(np.vstack([groups, np.asarray(better, np.float64) * size]), lower_confidence or confidence)
    _, upper = test(np.vstack([groups, np.asarray(worse, np.float64) * size]), confidence)
    least, most = within
    return Interval(
        value=value,
        lower=None if lower is None else min(lower if least is None else max(lower, least), value),
        upper=None if upper is None else max(upper if most is None else min(upper, most), value),
        confidence=confidence,
        clusters=count,
    )


def _fieller(groups: "NDArray[np.float64]", confidence: float) -> Between:
    """Return the θ between which a t test at ``confidence`` rejects neither Σ(a − θb) ≤ 0 nor ≥ 0; (None, None): all.

    They solve (ā − θb̄)² = t²·(v_aa − 2θ·v_ab + θ²·v_bb), v being the (co)variances of the means. The last row is the
    pseudo-cluster, for which no degree of freedom is counted. Skewness moves the upper one up.
    """
    import numpy as np
    from scipy.special import stdtrit

    count = groups.shape[0]
    t = float(stdtrit(count - 2, confidence))
    a, b = (float(mean) for mean in groups.mean(axis=0))
    (aa, ab), (_, bb) = (np.cov(groups, rowvar=False) / count).tolist()
    lead, middle, last = b * b - t * t * bb, a * b - t * t * ab, a * a - t * t * aa
    if b <= 0 or lead <= 0:
        return None, None
    spread = sqrt(max(middle * middle - lead * last, 0.0))
    return (middle - spread) / lead, (middle + spread) / lead + max(_skewness(groups[:-1], t), 0.0)


def _skewness(groups: "NDArray[np.float64]", t: float) -> float:
    """Return how far the bounds of a skewed mean lie above those of a t test: μ₃·(1 + 2t²)/(6·s²·n) (Johnson, 1978).

    The mean is that of (a − θ·b)/b̄, which is the ratio θ in first order.
    """
    over, under = groups.sum(axis=0)
    scatter = (groups[:, 0] - over / under * groups[:, 1]) / groups[:, 1].mean()
    variance = float(scatter.var(ddof=1))
    return float((scatter**3).mean()) * (1 + 2 * t * t) / (6 * variance * len(groups)) if variance > 0 else 0.0


def pseudo_loss(gained: "NDArray[np.float64]", lengths: "NDArray[np.float64]", clusters: Sequence[str]) -> float:
    """Return the share of its words that the pseudo-clip of an accuracy drop loses.

    It is the mean of what clusters changed by, among those that changed: errors ``gained``, or lost, over the words of
    an average cluster. Some are counted among them that lose half (`imagined`). The more small changes are seen, the
    less the next one is taken to be; where nothing changed it is half. Both columns have a number for each utterance.

    >>> import numpy as np
    >>> nothing, words = np.zeros(300), np.full(300, 30.0)
    >>> pseudo_loss(nothing, words, [""] * 300)
    0.5
    >>> sixty_words = np.where(np.arange(300) < 60, 1.0, 0.0)
    >>> round(pseudo_loss(sixty_words, words, [""] * 300), 3)
    0.08
    """
    import numpy as np

    errors, words = sum_by_cluster(np.column_stack([gained, lengths]), clusters).T
    if not words.sum() > 0:
        return 0.5
    changes = np.abs(errors[errors != 0]) / words.mean()
    added = imagined(len(words))
    return float((added / 2 + changes.sum()) / (added + len(changes)))


def imagined(clusters: int) -> float:
    """Return how many clusters that lose half their words are counted among those of ``clusters`` that changed."""
    return IMAGINED * min(1.0, UP_TO / clusters)


def sum_by_cluster(columns: "NDArray[np.float64]", clusters: Sequence[str]) -> "NDArray[np.float64]":
    """Return the column sums of every group, shape (groups, columns), by name; an empty name is a group of its own.

    Rows with `SUMS` for names are those of groups already.
    """
    if not len(clusters):
        return columns
    return sum_columns(columns.T, *numbered(clusters))


def sum_columns(
    columns: "Iterable[Sequence[float] | NDArray[Any]]", numbers: "NDArray[np.int32]", count: int
) -> "NDArray[np.float64]":
    """Return the sums of columns over each of ``count`` groups, shape (groups, columns), one column after another.

    ``numbers`` has the number of each utterance's group, as `numbered` returns both.
    """
    import numpy as np

    def summed(column: "Sequence[float] | NDArray[Any]") -> "NDArray[np.float64]":
        sums = np.zeros(count)
        if len(column) != len(numbers):
            raise ValueError(f"{len(column)} values for {len(numbers)} utterances")
        for start in range(0, len(numbers), _AT_ONCE):  # `bincount` would hold both anew, eight bytes each
            some = slice(start, start + _AT_ONCE)
            np.add.at(sums, numbers[some], np.asarray(column[some], np.float64))
        return sums

    return np.column_stack([summed(column) for column in columns])


def distinct(clusters: Sequence[str]) -> list[str]:
    """Return a name for the group of each utterance: an empty name becomes one of its own."""
    return [name or f"\0{index}" for index, name in enumerate(clusters)]


def in_one_place(clusters: Iterable[str], clips: Iterable[str]) -> Groups:
    """Return the cluster of each utterance, one for each sound of ``clips``: of several the first by name.

    A recording that is listed under two clusters is one piece of evidence all the same. Its clusters are not joined,
    for what else they hold is not shared.

    >>> [*in_one_place(["ben", "anna", "ben"], ["1", "1", "2"])]
    ['anna', 'anna', 'ben']
    """
    clusters, together = held(clusters), ClustersOfSounds()
    for cluster, clip in zip(clusters, clips, strict=True):
        together.add(cluster, clip)
    return together.groups(clusters)


def judged_by(clusters: Iterable[str], clips: Iterable[str]) -> tuple[Groups, int]:
    """Return the groups of utterances by which bounds are drawn, and of how many clusters alone they then speak.

    Groups are ``clusters``, each sound in one of them (`in_one_place`), and the bounds speak of all clusters like them:
    0. Fewer than `MIN_CLUSTERS` bound nothing. Of such a corpus each sound is a group, named in ``clips``, and the
    bounds speak of these clusters alone.

    >>> groups, few = judged_by(["anna"] * 6, ["1", "2", "3", "4", "5", "5"])  # one sound is there twice
    >>> [*groups], few
    (['1', '2', '3', '4', '5', '5'], 1)
    >>> groups, few = judged_by(["anna"] * 3, ["1", "2", "3"])
    >>> [*groups], few
    (['anna', 'anna', 'anna'], 0)
    """
    clusters, clips = held(clusters), held(clips)
    return judged_by_rows(zip(clusters, clips, strict=True), clusters, clips)


def judged_by_rows(
    rows: Iterable[tuple[str, str]], clusters: Sequence[str], clips: Sequence[str]
) -> tuple[Groups, int]:
    """Return what `judged_by` does, of ``rows`` of both that are gone through once; names are looked up in the rest."""
    together = ClustersOfSounds()
    for cluster, clip in rows:
        together.add(cluster, clip)
    groups = together.groups(clusters)
    is_divisible = groups.size < MIN_CLUSTERS <= together.sounds
    return (grouped(clips), groups.size) if is_divisible else (groups, 0)


def only_these(few: int) -> str:
    """Return in words that bounds speak of a ``few`` clusters alone, and why."""
    these = "this 1 cluster" if few == 1 else f"these {few} clusters"
    return f"judged utterance by utterance, for {these} alone: fewer than {MIN_CLUSTERS} tell nothing of others"
