"""Part of a corpus: a smaller one that still looks like the whole, or what an English-only model can hear."""

import hashlib
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from unicodedata import normalize

from pytest_whisperq.speech.corpus.types import Corpus, Utterance, keep_utterances
from pytest_whisperq.system.errors import CorpusError
from pytest_whisperq.system.on_disk import choose

_FEW = 5
"""Letters that are in longer words by chance."""

_HASH = 16
"""Bytes of a hash by which names are put in order: no two are alike in them."""


def only_english(corpus: Corpus, model: str) -> Corpus:
    """Return the utterances in English or in no stated language, for the English-only ``model``; the name says so.

    Raises `CorpusError` when nobody speaks in what is left.
    """
    chosen = corpus.where(lambda item: item.language in ("en", None))
    if len(chosen) == len(corpus.utterances):
        return corpus
    name = f"{corpus.name}, English only ({len(chosen)} of {len(corpus.utterances)} utterances)"
    reduced = replace(corpus, name=name, utterances=chosen)
    if not reduced.speech:
        raise CorpusError(
            f"{corpus.name} has no utterance in English, and {model} is English-only", remedy="give it others"
        )
    return reduced


def categories(utterances: Sequence[Utterance], share: float = 0.5) -> dict[str, set[str]]:
    """Return the columns that sort utterances into groups, with their values: several, but not one for nearly each row.

    At most ``share`` of the rows may have a value of their own. What is left out is text, names or numbers. One value
    is enough in a column that other rows leave empty, if there are enough of it.
    """
    columns: dict[str, set[str]] = defaultdict(set)
    filled = Counter[str]()
    most = max(2, share * len(utterances))  # of values that sort so many rows, each of which has a column once
    for item in utterances:
        for column, value in item.slices:
            filled[column] += 1
            values = columns[column]
            if len(values) <= most:
                values.add(value)
    return {
        name: values
        for name, values in columns.items()
        if is_category(len(values), filled[name], len(utterances), share)
    }


def is_category(several: int, filled: int, count: int, share: float = 0.5) -> bool:
    """Whether a column with so many values sorts ``count`` rows, of which so many are ``filled``: see `categories`."""
    return 1 < several <= max(2, share * count) if filled == count else several <= share * filled


def only_categories(corpus: Corpus) -> Corpus:
    """Return a corpus without columns that may hold what was said.

    Those have another value in each tenth row, or in any row what its reference says, in whatever spelling.
    """
    spoken = {column for item in corpus.speech for column, value in item.slices if _says(value, item.reference)}
    kept = {"language", "kind", *({"noise", *categories(corpus.utterances, 0.1)} - spoken)}
    items = (u._replace(slices=tuple(row for row in u.slices if row[0] in kept)) for u in corpus.utterances)
    withheld = {column for item in corpus.utterances for column, _ in item.slices} - kept
    return replace(corpus, utterances=keep_utterances(items), withheld=tuple(sorted(withheld)))


def _says(value: str, reference: str) -> bool:
    """Whether a value holds a reference, by its letters; one of few has to stand apart: noisy does not say "no"."""
    words, target = (re.findall(r"[^\W_]+", normalize("NFKD", text.casefold())) for text in (value, reference))
    letters = "".join(target)
    inside = letters in "".join(words) if len(letters) > _FEW else f" {' '.join(target)} " in f" {' '.join(words)} "
    return bool(letters) and (inside or letters == "".join(words))


def subset(corpus: Corpus, size: int | None, seed: int) -> Corpus:
    """Return ``size`` utterances in the proportions of kind, language and noise; the whole corpus if it is no larger.

    Deterministic in ``seed``: everything is ordered by a seeded hash, so the choice depends neither on the manifest's
    order nor on the platform. Each stratum spreads its utterances evenly over (0, 1) from a seeded start, and the
    subset is the first ``size`` of all: nested by construction, which filling quotas by largest remainder is not.
    """
    if size is None or size >= len(corpus.utterances):
        return corpus
    return replace(corpus, utterances=choose(corpus.utterances, sorted(shuffled(corpus, seed)[:size])))


def shuffled(corpus: Corpus, seed: int) -> "array[int]":
    """Return the places of utterances in the order of which `subset` takes the first: each start is like the whole."""

    def stratum(item: Utterance) -> tuple[str, ...]:
        return item.kind, item.language or "", dict(item.slices).get("noise", "")

    return spread(((stratum(item), item.id) for item in corpus.utterances), seed)


def spread(names: Iterable[tuple[tuple[str, ...], str]], seed: int) -> "array[int]":
    """Return the places of names, each with its stratum, in an order of which each start has these in proportion.

    Seeded and reproducible. Of a name only its hash is held: some fifty bytes of each while they are put in order.
    """
    import numpy as np

    def hashed(name: object) -> bytes:  # file names need not be valid text
        return hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogateescape")).digest()

    hashes, numbers, strata = bytearray(), array("I"), dict[tuple[str, ...], int]()
    for stratum, name in names:
        hashes += hashed(name)[:_HASH]
        numbers.append(strata.setdefault(stratum, len(strata)))
    in_order = sorted(strata)
    ranks = np.empty(len(strata), np.uint32)
    ranks[[strata[stratum] for stratum in in_order]] = np.arange(len(strata))
    ranked = ranks[np.asarray(numbers)]
    order = np.lexsort((np.frombuffer(hashes, f"S{_HASH}"), ranked)).astype(np.uint32)
    counts = np.bincount(ranked, minlength=len(strata))
    shares = np.array([int.from_bytes(hashed(stratum)[:4], "big") / 2**32 for stratum in in_order])
    places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    shares = (places + np.repeat(shares, counts)) / np.repeat(counts, counts)
    return array("I", order[np.argsort(shares, kind="stable")].tobytes())
