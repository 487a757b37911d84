"""The smallest part of a corpus that certifies a limit: enough, not a cluster more, and like the whole."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.__main__ import main
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.forecast import forecast
from pytest_whisperq.gates.sample import certifies, smallest
from pytest_whisperq.measuring.power import Power, plan
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus import Corpus
from pytest_whisperq.system.errors import CorpusError

LIMIT = 4.0


@pytest.fixture
def folder(tmp_path: Path, make_corpus: Callable[..., Path]) -> Path:
    """120 utterances of eight words, two of each of 60 speakers; a third of them is French, a fourth on the phone."""
    columns = {
        "cluster": [f"speaker {n // 2}" for n in range(120)],
        "language": ["fr" if n // 2 % 3 == 0 else "en" for n in range(120)],
        "line": ["phone" if n // 2 % 4 == 0 else "desk" for n in range(120)],
    }
    return make_corpus(tmp_path / "calls", [f"one two three four five six seven {n}" for n in range(120)], columns)


def session(folder: Path, seed: int = 0) -> Session:
    options = {"corpus": str(folder), "seed": str(seed), "cache_dir": str(folder.parent / "cache")}
    return Session(resolve({f"whisperq_{name}": value for name, value in options.items()}), part=lambda corpus: corpus)


def power_of(corpus: Corpus, left_out: str = "") -> Power:
    items = [item for item in corpus.speech if item.cluster != left_out]
    return plan([8] * len(items), [item.cluster for item in items], confidence=0.95)


def test_it_certifies_and_one_cluster_fewer_does_not(folder: Path) -> None:
    sample = smallest(session(folder), LIMIT)
    clusters = Counter(item.cluster for item in sample.corpus.utterances)
    assert set(clusters.values()) == {2}  # whole clusters
    assert len(clusters) == sample.clusters < sample.of_clusters == 60
    assert power_of(sample.corpus) == sample.power
    assert certifies(sample.power, LIMIT)
    assert len(forecast(sample.power, [LIMIT])) == 1  # and a run says so without reserve
    assert not any(certifies(power_of(sample.corpus, one), LIMIT) for one in clusters)  # they are of one size


def test_of_a_language_without_spaces_characters_are_counted(tmp_path: Path, make_corpus: Callable[..., Path]) -> None:
    texts = [f"今天天气很{one}" for one in "好坏冷热" * 30]
    make_corpus(tmp_path / "calls", texts, {"language": ["zh"] * 120})
    power = smallest(session(tmp_path / "calls"), LIMIT).power
    assert (power.counted, power.length) == ("characters", 6 * power.utterances)


def test_it_is_like_the_whole_and_the_seed_decides_which(folder: Path) -> None:
    samples = [smallest(session(folder, seed), LIMIT) for seed in (0, 0, 1)]
    first, again, other = ([item.id for item in one.corpus.utterances] for one in samples)
    assert first == again != other
    for column, share in (("language", 1 / 3), ("line", 3 / 4)):
        values = [dict(item.slices)[column] for item in samples[0].corpus.utterances]
        assert values.count({"language": "fr", "line": "desk"}[column]) / len(values) == pytest.approx(share, abs=0.06)


def test_what_even_the_whole_cannot_certify_is_refused(folder: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"cannot certify 1 points, even whole: 120 utterances .* are needed; add rec"
    ):
        smallest(session(folder), 1.0)


def test_it_is_written_as_a_corpus_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder.parent / "part"
    options = ["--power", f"{LIMIT}", "--cache-dir", str(folder.parent / "cache")]
    assert main(["corpus", "sample", str(folder), str(target), *options]) == 0
    sample = smallest(session(folder), LIMIT)
    count = len(sample.corpus.utterances)
    shown = capsys.readouterr().out
    assert f"{count} of 120 utterances, in {sample.clusters} of 60 independent groups, written to {target}" in shown
    assert f"{count} utterances / {8 * count} words certify a drop below" in shown
    assert [item.reference for item in session(target).corpus.utterances] == [
        item.reference for item in sample.corpus.utterances
    ]
    assert main(["corpus", "sample", str(folder), str(target), *options]) == 2
    assert "is there already" in capsys.readouterr().err
