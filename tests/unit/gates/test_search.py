"""The search: cheapest first, as little built and heard as can be, and the one that qualifies is found."""

import json
from collections.abc import Callable, Iterator, Mapping
from math import log2
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.backends import Calibration, registry
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.config.conditions import parse
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.search import Found, cheapest_first, search, shared
from pytest_whisperq.gates.size import is_short, nominal_bits
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.session import silent
from pytest_whisperq.system.errors import ConfigError, DecodeError, QuantizationError

BITS = {"int2": 2, "int3": 3, "int4": 4, "int6": 6, "int8": 8, "float16": 16}
COUNT, LENGTH = 120, 20

Change = Callable[[int, list[str]], list[str]]


class LadderBackend(ScriptedBackend):
    """A scripted model in many precisions, whose weights take as many bytes as they should, or ``heavy`` ones more."""

    name = "ladder"
    precisions: Mapping[str, str] = MappingProxyType({"float32": "float32", **{name: name for name in BITS}})
    weights = ("weights.bin",)
    heavy: Mapping[str, int] = MappingProxyType({})
    broken = ""
    built: ClassVar[list[str]] = []

    def build(self, precision: str, source: Path, directory: Path, calibration: Calibration | None) -> None:
        """Write the part of the script that belongs to ``precision``, and weights beside it."""
        self.built.append(precision)
        if precision == self.broken:
            raise QuantizationError("the SQNR of block layers.3 is 2.1 dB")
        script = json.loads((source / "scripted.json").read_text())
        (directory / "scripted.json").write_text(json.dumps({precision: script[precision]}))
        size = 25_000 * BITS.get(precision, 32) + self.heavy.get(precision, 0)
        (directory / "weights.bin").write_bytes(precision.encode().ljust(size, b"\0"))


@pytest.fixture
def ladder(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[LadderBackend]]:
    for name, value in {"heavy": {}, "broken": "", "built": []}.items():
        monkeypatch.setattr(LadderBackend, name, value)
    restore = registry.register([{"ladder": LadderBackend}])
    yield LadderBackend
    restore()


class World:
    """120 recordings of 20 words, and models that get so many of a hundred words wrong."""

    def __init__(self, folder: Path, make_corpus: Any, make_script: Any) -> None:
        self.folder, self._make_script = folder, make_script
        self.texts = [" ".join(f"w{chr(97 + n % 26)}{chr(97 + k)}" for k in range(LENGTH)) for n in range(COUNT)]
        self.corpus = make_corpus(folder / "corpus", self.texts, {"language": ["en"] * COUNT})

    def search(self, wrong: Mapping[str, float], *limits: str, seed: int = 0, **options: str) -> Found:
        """Search the precisions of ``wrong``, each of which mishears each word with so many per cent of chance."""
        random = np.random.default_rng(seed)
        said = {
            name: [
                " ".join("wrong" if random.random() < 0.01 * share else word for word in text.split())
                for text in self.texts
            ]
            for name, share in wrong.items()
        }
        model = self._make_script(self.folder / f"model{seed}", self.corpus, {"float32": None, **said})
        typed = {
            "candidate": ",".join(f"ladder:{name}" for name in wrong),
            "baseline": "ladder:float32",
            "model": str(model),
            "corpus": str(self.corpus),
            "cache_dir": str(self.folder / "cache"),
            "decode_batch": "8",
            **options,
        }
        self.told: list[str] = []
        condition = parse(" and ".join(limits or ["drop<3"]))
        config = resolve({f"whisperq_{key}": value for key, value in typed.items()})
        return search(config, condition, silent, self.told.append)


@pytest.fixture
def world(tmp_path: Path, make_corpus: Any, make_script: Any, ladder: type[LadderBackend]) -> World:
    return World(tmp_path, make_corpus, make_script)


def test_what_is_only_simulated_wins_nothing(
    world: World, ladder: type[LadderBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "simulated", frozenset({"int2"}))
    found = world.search({"int2": 0, "int8": 0})
    assert named(found) == "int8"
    assert found.left_out == ("ladder:int2: it is simulated, and no runtime has it",)
    assert "int2" not in ladder.built
    with pytest.raises(ConfigError, match="nothing to search: ladder:int2: it is simulated"):
        world.search({"int2": 0}, seed=1)


def named(found: Found) -> str:
    return found.winner.candidate.precision if found.winner else "none"


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, 40), marks=pytest.mark.matrix)])
def test_the_only_precision_that_qualifies_is_found_whichever_it_is(world: World, seeds: range) -> None:
    """Others lose more than the limit allows; which one does not, and how much the others lose, is drawn."""
    for seed in seeds:
        random = np.random.default_rng((seed, 1))
        wrong = {name: float(random.uniform(8, 60)) for name in BITS}
        good = str(random.choice(list(BITS)))
        wrong[good] = 0.3
        assert named(world.search(wrong, seed=seed)) == good


def test_where_none_qualifies_none_is_named(world: World) -> None:
    found = world.search(dict.fromkeys(BITS, 10.0))
    assert found.winner is None
    assert {one.verdict for one in found.tried} == {Verdict.FAIL}


def test_the_walk_goes_up_and_builds_no_more_than_it_takes(world: World, ladder: type[LadderBackend]) -> None:
    found = world.search({"float16": 0, "int8": 0.3, "int3": 0.3, "int4": 0, "int2": 30})
    assert [one.candidate.precision for one in found.tried] == ["int2", "int3"]
    assert [one.precision for one in found.left] == ["float16", "int8", "int4"]
    assert ladder.built == ["float32", "int2", "int3"]


def test_bytes_decide_and_not_bits(world: World, ladder: type[LadderBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    """An int3 with 4 bits' worth of scales is larger than a plain int4."""
    monkeypatch.setattr(ladder, "heavy", {"int3": 35_000})
    found = world.search({"int3": 0, "int4": 0, "int8": 0})
    assert named(found) == "int4"
    assert [one.precision for one in found.left] == ["int3", "int8"]
    assert ladder.built == ["float32", "int3", "int4"]


def test_the_hopeless_are_heard_no_further_than_it_takes(world: World, decoded: list[int]) -> None:
    found = world.search({"int2": 60, "int3": 40, "int4": 0})
    heard = {one.candidate.precision: one.judgement.utterances for one in found.tried if one.judgement}
    assert heard["int4"] == COUNT
    assert max(heard["int2"], heard["int3"]) < COUNT / 3
    assert sum(decoded) < 2 * COUNT + 2 * COUNT / 3


def test_all_share_the_error_whether_the_walk_gets_to_them_or_not(world: World) -> None:
    found = world.search({"int2": 0, "int3": 0, "int4": 0, "int8": 0})
    assert len(found.tried) == 1
    (check,) = found.tried[0].judgement.checks  # type: ignore[union-attr]
    assert check.confidence == found.session.config.confidence == 0.9875
    (either, _) = world.search({"int2": 0, "int8": 0}, "(drop<3 or size-ratio<0.01)").tried[0].judgement.checks  # type: ignore[union-attr]
    assert either.confidence is None  # bytes are counted


def test_each_limit_has_to_hold(world: World) -> None:
    found = world.search({"int2": 30, "int4": 0.3, "int8": 0.3}, "drop<3", "size-ratio<0.2")
    assert named(found) == "int4"
    assert named(world.search({"int4": 30, "int8": 0.3}, "drop<3", "size-ratio<0.2")) == "none"


def test_one_that_breaks_is_a_finding_and_not_the_end(
    world: World, ladder: type[LadderBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "broken", "int2")
    load = LadderBackend.load

    def fails(self: LadderBackend, precision: str, directory: Path, threads: int) -> Any:
        if precision == "int3":
            raise DecodeError("ladder:int3 was asked for but 'float32' executes here")
        return load(self, precision, directory, threads)

    monkeypatch.setattr(ladder, "load", fails)
    found = world.search({"int2": 0, "int3": 0, "int4": 0})
    assert [(one.candidate.precision, one.broken, one.verdict) for one in found.tried] == [
        ("int2", "the SQNR of block layers.3 is 2.1 dB", Verdict.FAIL),
        ("int3", "ladder:int3 was asked for but 'float32' executes here", Verdict.FAIL),
        ("int4", "", Verdict.PASS),
    ]
    assert found.tried[0].size is None
    assert world.told[-3:] == [
        "ladder:int2: the SQNR of block layers.3 is 2.1 dB",
        "ladder:int3, 0.1 MB: ladder:int3 was asked for but 'float32' executes here",
        "ladder:int4, 0.1 MB: PASS",
    ]


def test_a_baseline_that_breaks_is_the_end(
    world: World, ladder: type[LadderBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "broken", "float32")
    with pytest.raises(QuantizationError):
        world.search({"int2": 0})
    assert ladder.built == ["float32"]


def test_what_is_cheaper_and_undecided_is_not_named(world: World) -> None:
    """2.7 points lost of 3 that are allowed, on 120 clips."""
    found = world.search({"int4": 2.7, "int8": 0})
    assert [one.verdict for one in found.tried] == [Verdict.INCONCLUSIVE, Verdict.PASS]
    assert named(found) == "int8"


def test_limits_beyond_the_corpus_are_told_before_anything_is_built(world: World, ladder: type[LadderBackend]) -> None:
    found = world.search({"int8": 0}, "drop<0.01")
    assert any("max_drop=0.01 is out of their reach" in line for line in world.told)
    assert found.winner is None


def test_a_search_of_nothing_is_an_error() -> None:
    config = resolve({})
    with pytest.raises(ConfigError, match="--backend: nothing to search"):
        search(config, parse("drop<1"), silent, print)


sizes = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=12)


@given(sizes, st.integers(0, 11))
def test_any_ladder_is_walked_by_bytes_with_as_few_builds_as_its_estimates_allow(
    rows: list[tuple[int, int]], stop: int
) -> None:
    candidates = [Candidate(backend="x", precision=str(number)) for number in range(len(rows))]
    estimate = {one: low for one, (low, _) in zip(candidates, rows, strict=True)}
    real = {one: low + more for one, (low, more) in zip(candidates, rows, strict=True)}
    built: list[Candidate] = []

    def build(candidate: Candidate) -> int:
        built.append(candidate)
        return real[candidate]

    walked = []
    for candidate, size in cheapest_first(candidates, estimate.__getitem__, build):
        assert size == real[candidate]
        walked.append(candidate)
        if len(walked) > stop:
            break
    found = [real[one] for one in walked]
    assert found == sorted(real.values())[: stop + 1]
    assert len(set(built)) == len(built)
    assert all(estimate[one] <= found[-1] for one in built)


@given(st.floats(0.5, 0.9999), st.integers(1, 1000))
def test_shares_never_add_up_to_more_than_the_error(confidence: float, count: int) -> None:
    assert count * (1 - shared(confidence, count)) <= (1 - confidence) * (1 + 1e-9) or count == 1
    assert shared(confidence, 1) == confidence


def test_bits_are_read_from_names() -> None:
    assert {name: nominal_bits(name) for name in ("int4-sym", "nf4", "float32", "vq4x256", "vq2x512", "own")} == {
        "int4-sym": 4,
        "nf4": 4,
        "float32": 32,
        "vq4x256": 2,
        "vq2x512": log2(512) / 2,
        "own": None,
    }
    assert is_short("vq1x65536") is False
    assert is_short("vq2x256") is True
