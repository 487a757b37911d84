"""The ladder's page, made of runs of the scripted backend: every figure on it is a run's."""

import copy
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.make import real_ladder
from fixtures.make.real_ladder import HEADINGS, NOT_RUN, Ladder
from fixtures.make.sources import RecipeError
from pytest_whisperq.judging.verdict import Check, Judgement, Verdict

SIZE = "tiny.en"
BASE, INT8, INT4 = "scripted:float32", "scripted:int8", "scripted:int4-sym"


@pytest.fixture
def ladder(tmp_path: Path, make_corpus: Any, make_script: Any, monkeypatch: pytest.MonkeyPatch) -> Ladder:
    """Forty clips of four words; int8 gets one word wrong in every tenth, int4-sym says nothing right."""
    references = [f"alpha bravo charlie delta{'' if number % 2 else ' echo'}" for number in range(40)]
    make_corpus(tmp_path / "calls", references, {"language": ["en"] * 40})
    said = [text.replace("bravo", "brave") if number % 10 == 0 else text for number, text in enumerate(references)]
    make_script(tmp_path / "model", tmp_path / "calls", {"float32": None, "int8": said, "int4-sym": ["no"] * 40})
    monkeypatch.setenv("PYTEST_ADDOPTS", "--whisperq-baseline=scripted")
    return Ladder(
        models={SIZE: tmp_path / "model"},
        corpus=tmp_path / "calls",
        runs=tmp_path / "runs",
        cache=tmp_path / "cache",
        backends=("scripted",),
        precisions="int8,int4-sym",
    )


def rows(page: Path) -> dict[str, dict[str, str]]:
    """Read the table of the page: cells by heading, by candidate."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| scripted")]
    cells = [[cell.strip().replace("\\", "") for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(HEADINGS, row, strict=True)) for row in cells}


def costs(quality: dict[str, Any], gate: str, *checks: Check, **details: float) -> dict[str, Any]:
    """Make a run of one gate that measured the models of ``quality``."""
    document = copy.deepcopy(quality)
    judged = Judgement(gate=gate, candidate=INT8, baseline=BASE, checks=checks, details=tuple(details.items()))
    document["gates"] = [
        {"test": "t", "outcome": "passed", "verdict": "PASS", "waived_until": "", "judgement": judged.to_dict()}
    ]
    return document


def times(stage: str, value: float, verdict: Verdict) -> Check:
    return Check(
        name=f"{stage} speedup",
        value=value,
        limit=1.0,
        keep="above",
        lower=value - 0.1,
        upper=value + 0.1,
        confidence=0.95,
        unit="times",
        verdict=verdict,
        reason="",
    )


def test_the_page_has_what_the_gates_found_and_nothing_else(ladder: Ladder, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    real_ladder.measure(ladder, SIZE, ("quality",))
    real_ladder.write(ladder, page)
    quality = json.loads((tmp_path / "runs" / SIZE / "quality.json").read_text(encoding="utf-8"))
    found = rows(page)
    assert set(found) == {BASE, INT8, INT4}
    assert [found[name]["WER, %"] for name in (BASE, INT8, INT4)] == ["0.00", "2.22", "100.00"]
    checks = {
        (gate["judgement"]["gate"], gate["judgement"]["candidate"]): gate["judgement"]["checks"]
        for gate in quality["gates"]
    }
    (drop,) = checks["accuracy", INT8]
    assert found[INT8]["drop, points"] == f"{drop['value']:+.2f} ({drop['lower']:+.2f} … {drop['upper']:+.2f})"
    assert found[INT8]["exact match, %"].startswith("90.00 (")
    assert found[INT4]["accuracy"] == "FAIL"
    assert found[INT4]["new catastrophes, %"].startswith("100.00 (")
    assert found[INT8]["MB"] == f"{quality['models'][INT8]['size'] / 1e6:.1f}"
    assert {found[INT8][heading] for heading in ("peak memory, MB", "encoder, times", "pipeline, times")} == {NOT_RUN}
    text = page.read_text(encoding="utf-8")
    assert "Speed was not measured in this run." in text
    assert "Not run: " not in text
    assert "40 utterances of 40 speakers, 180 words" in text
    undecided = [
        [check["name"], check["reason"].replace("; ", ". "), name]
        for gate, name in (("accuracy", INT8), ("catastrophe", INT8), ("accuracy", INT4), ("catastrophe", INT4))
        if (check := checks[gate, name][0])["verdict"] == "INCONCLUSIVE"
    ]
    assert undecided
    table = text.partition("| of | why | candidates |")[2].partition("\n\n")[0].replace("\\", "")
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]] == undecided
    images = sorted(path.name for path in (page.parent / "images").iterdir())
    assert images == [f"real-{SIZE}-drops.svg", f"real-{SIZE}-size.svg"]
    for name in images:
        assert f"(images/{name})" in text
        assert ElementTree.parse(page.parent / "images" / name).getroot().tag.endswith("svg")

    # Costs that were measured of these models are on the page, those of other models are not.
    memory = costs(quality, "memory", peak_memory=204e6, baseline_peak_memory=301e6)
    (tmp_path / "runs" / SIZE / "memory-scripted.json").write_text(json.dumps(memory), encoding="utf-8")
    checks = times("encoder", 2.0, Verdict.PASS), times("pipeline", 1.05, Verdict.INCONCLUSIVE)
    speed = costs(quality, "speedup", *checks)
    (tmp_path / "runs" / SIZE / "speed-scripted.json").write_text(json.dumps(speed), encoding="utf-8")
    real_ladder.measure(ladder, SIZE, ("memory", "speed"))  # which finds both
    real_ladder.write(ladder, page)
    found = rows(page)
    assert (found[BASE]["peak memory, MB"], found[INT8]["peak memory, MB"]) == ("301", "204")
    assert found[INT4]["peak memory, MB"] == NOT_RUN
    assert found[INT8]["encoder, times"] == "2.00 (1.90 … 2.10)"
    assert found[INT8]["pipeline, times"] == "1.05 (0.95 … 1.15) ?"
    assert found[INT8]["decoder, times"] == NOT_RUN
    assert "not measured in this run" not in page.read_text(encoding="utf-8")
    assert (page.parent / "images" / f"real-{SIZE}-speed.svg").exists()
    broken = {"candidate": "scripted:int3-sym", "outcome": "failed", "message": "no build:\n  too *coarse*"}
    quality["broken"] = [{"test": test, **broken} for test in ("test_parity", "test_accuracy")]
    (tmp_path / "runs" / SIZE / "quality.json").write_text(json.dumps(quality), encoding="utf-8")
    memory["models"][INT8]["identity"] = "another build"
    (tmp_path / "runs" / SIZE / "memory-scripted.json").write_text(json.dumps(memory), encoding="utf-8")
    real_ladder.write(ladder, page)
    assert rows(page)[INT8]["peak memory, MB"] == NOT_RUN
    assert page.read_text(encoding="utf-8").count("- scripted:int3-sym: no build: too \\*coarse\\*\n") == 1


def test_the_page_names_what_was_left_out_of_a_part_of_the_ladder(ladder: Ladder, tmp_path: Path) -> None:
    part = replace(ladder, precisions="int8")
    real_ladder.measure(part, SIZE, ("quality",))
    real_ladder.write(part, tmp_path / "page.md")
    assert f"\nNot run: {INT4}.\n" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_a_page_without_any_run_is_refused(ladder: Ladder, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"quality\.json is missing: run the ladder with --measure quality first"):
        real_ladder.write(ladder, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cut_short": True}, "the run of base was cut short: start it again"),
        ({"corpus": {"digest": "another"}}, r"tiny\.en and base were measured under other circumstances"),
    ],
)
def test_runs_that_do_not_belong_together_make_no_page(
    change: dict[str, Any], said: str, ladder: Ladder, tmp_path: Path
) -> None:
    settings = dict.fromkeys(("normalizer", "metric", "confidence", "bounds", "seed"))
    run = {"cut_short": False, "corpus": {"digest": "one"}, "environment": {}, "settings": settings}
    for size, document in ((SIZE, run), ("base", {**run, **change})):
        (tmp_path / "runs" / size).mkdir(parents=True)
        (tmp_path / "runs" / size / "quality.json").write_text(json.dumps(document), encoding="utf-8")
    both = replace(ladder, models={SIZE: tmp_path, "base": tmp_path})
    with pytest.raises(RecipeError, match=said):
        real_ladder.write(both, tmp_path / "page.md")


def test_gates_that_cannot_run_end_the_ladder(ladder: Ladder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--whisperq-baseline=nonsense")
    with pytest.raises(RecipeError, match="pytest ended with exit code 4"):
        real_ladder.measure(ladder, SIZE, ("quality",))
