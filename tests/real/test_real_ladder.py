"""The ladder's page, made of runs of the scripted backend: every figure on it is a run's."""

import copy
import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.make import __main__ as command
from fixtures.make import real_ladder, real_page, real_values
from fixtures.make.real_ladder import Ladder
from fixtures.make.real_page import HEADINGS, NOT_RUN, PROCESSOR
from fixtures.make.sources import RecipeError
from pytest_whisperq.judging.verdict import Check, Judgement, Verdict
from pytest_whisperq.system.machine import cpu_features

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIZE = "tiny.en"
BASE, INT8, INT4 = "scripted:float32", "scripted:int8", "scripted:int4-sym"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs" / "page.md"


@pytest.fixture
def ladder(tmp_path: Path, page: Path, make_corpus: Any, make_script: Any, monkeypatch: pytest.MonkeyPatch) -> Ladder:
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
        page=page,
        backends=("scripted",),
        precisions="int8,int4-sym",
    )


@pytest.fixture
def quality() -> dict[str, Any]:
    """A saved run that judged int8 and int4-sym."""
    models = {
        name: {
            "role": "baseline" if name == BASE else "candidate",
            "source_identity": "weights",
            "identity": f"build of {name}",
            "versions": {"script": "1"},
            "size": 10_000_000,
            "build_seconds": 2.0,
            "compute_type": name.partition(":")[2],
        }
        for name in (BASE, INT8, INT4)
    }
    texts = dict.fromkeys(models, "a secret")
    said = {"id": "a-secret-id", "cluster": "a-secret-speaker", "clip": "c", "said": "s", "reference": "a secret"}
    settings = {"normalizer": "n", "metric": "wer", "confidence": 0.95, "bounds": "t", "seed": 0}
    return {
        "created": "2026-01-01T00:00:00+00:00",
        "cut_short": False,
        "environment": {
            "cpu": "x86",
            "threads": 1,
            "platform": "Linux",
            "python": "3.11",
            "versions": dict.fromkeys(real_values.SHARED, "1.0"),
        },
        "settings": {**settings, "baseline": f"{BASE}@model"},
        "corpus": {"name": "calls", "digest": "d" * 64, "utterances": 1, "length": 2, "seconds": 60.0},
        "set_aside": ["a-secret-id"],
        "left_out": ["scripted:int2: too coarse", "scripted:int3: scripted does not have it (it has int8)"],
        "models": models,
        "broken": [],
        "gates": [gated("accuracy", name, drop) for name, drop in ((INT8, drop_of(0.5)), (INT4, drop_of(1.5)))],
        "slices": [],
        "utterances": [{**said, "length": 2, "texts": texts, "errors": {BASE: 0, INT8: 1, INT4: 2}}],
    }


def drop_of(value: float) -> Check:
    return replace(times("encoder", value, Verdict.INCONCLUSIVE), name="drop", unit="points", keep="below")


def gated(gate: str, candidate: str, *checks: Check, **details: float) -> Any:
    """Make what a document keeps of a gate."""
    judged = Judgement(
        gate=gate,
        candidate=candidate,
        baseline=BASE,
        checks=checks,
        utterances=40,
        metric="wer",
        details=tuple(details.items()),
    )
    return {"test": "t", "outcome": "passed", "verdict": "PASS", "waived_until": "", "judgement": judged.to_dict()}


def part(document: Mapping[str, Any], *names: str, **changes: Any) -> dict[str, Any]:
    """Return a run of some of the candidates."""
    one = copy.deepcopy(dict(document))
    one["models"] = {name: model for name, model in one["models"].items() if name in (BASE, *names)}
    one["gates"] = [gate for gate in one["gates"] if gate["judgement"]["candidate"] in names]
    return {**one, **changes}


def changed(document: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a run that are others after a change."""
    return {key: {**document[key], **one} if isinstance(one, dict) else one for key, one in change.items()}


def rows(page: Path) -> dict[str, dict[str, str]]:
    """Read the table of the page: cells by heading, by candidate."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| scripted")]
    cells = [[cell.strip().replace("\\", "") for cell in line.strip("|").split("|")] for line in lines]
    headings = [name for name in HEADINGS if name != PROCESSOR]
    return {row[0]: dict(zip(headings, row, strict=True)) for row in cells}


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


def test_the_page_has_what_the_gates_found_and_nothing_else(ladder: Ladder, page: Path, tmp_path: Path) -> None:
    real_ladder.measure(ladder, SIZE, ("quality",))
    real_page.write(page)
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
    assert "Speed was not measured." in text
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


def test_a_ladder_in_two_parts_is_the_ladder_in_one(ladder: Ladder, page: Path) -> None:
    """The second part finds the first one's record, in the order of a table, and only its own models are heard."""
    first = replace(ladder, precisions="int4-sym")
    real_ladder.measure(first, SIZE, ("quality",))
    real_page.write(page)
    assert f"\nNot run: {INT8}.\n" in page.read_text(encoding="utf-8")
    real_ladder.measure(replace(ladder, precisions="int8"), SIZE, ("quality",))
    values = real_values.read(real_values.file_of(page, SIZE))
    assert list(values["candidates"]) == [INT8, INT4]
    elsewhere = replace(ladder, page=page.with_name("other.md"))
    real_ladder.measure(elsewhere, SIZE, ("quality",))
    both = real_values.read(real_values.file_of(elsewhere.page, SIZE))
    for one in (values, both):
        for record in one["candidates"].values():
            record["judged"] = ""
        (baseline,) = one["baselines"]
        baseline["judged"] = ""
    assert values == both


def test_other_circumstances_are_told_before_anything_runs(ladder: Ladder, page: Path, quality: Any) -> None:
    path = real_values.file_of(page, SIZE)
    quality["environment"]["python"] = "2.7"
    quality["environment"]["cpu"] = cpu_features()
    real_values.add_quality(path, quality)
    with pytest.raises(RecipeError, match=r"under other circumstances: .*python '2\.7' there"):
        real_ladder.measure(ladder, SIZE, ("quality",))
    with pytest.raises(RecipeError, match=r"under other circumstances: .*python '2\.7' there"):
        real_ladder.measure(ladder, SIZE, ("speed",))
    assert not ladder.runs.exists()
    real_ladder.measure(replace(ladder, anew=True, precisions="int8"), SIZE, ("quality",))
    assert list(real_values.read(path)["candidates"]) == [INT8]


def test_costs_want_quality_first(ladder: Ladder, page: Path, quality: Any) -> None:
    with pytest.raises(RecipeError, match="no candidates: run the ladder with --measure quality first"):
        real_ladder.measure(ladder, SIZE, ("memory",))
    path = real_values.file_of(page, SIZE)
    real_values.add_quality(path, quality)
    values = real_values.read(path)
    values["candidates"][INT8] |= {"identity": None, "cpu": cpu_features()}
    real_values.save(values, path)
    with pytest.raises(RecipeError, match=f"which model of {INT8} was judged is not known"):
        real_ladder.measure(ladder, SIZE, ("memory",))


def test_known_costs_are_measured_again_only_if_asked(
    ladder: Ladder, page: Path, quality: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ran = real_values.file_of(page, SIZE), []

    def gate(saved: Path, suite: str, chosen: str, *options: str) -> dict[str, Any]:
        ran.append((saved.name, chosen))
        names = chosen.partition("=")[2].split(",")
        return part(quality, *names, gates=[gated("memory", name, peak_memory=2e8) for name in names])

    monkeypatch.setattr(real_ladder, "_gate", gate)
    monkeypatch.setattr(real_ladder, "_here", lambda _: {})
    monkeypatch.setattr(real_ladder, "cpu_features", lambda: "x86")
    real_values.add_quality(path, quality)
    real_ladder.measure(replace(ladder, precisions="int8"), SIZE, ("memory",))
    real_ladder.measure(ladder, SIZE, ("memory",))
    real_ladder.measure(ladder, SIZE, ("memory",))
    real_ladder.measure(replace(ladder, anew=True), SIZE, ("memory",))
    asked = [f"--whisperq-candidate={names}" for names in (INT8, INT4, f"{INT8},{INT4}")]
    assert ran == [("memory-scripted.json", one) for one in asked]


def test_records_are_replaced_one_by_one(page: Path, quality: Any) -> None:
    path = real_values.file_of(page, SIZE)
    real_values.add_quality(path, quality, weights="Made up.", executes=(INT8, INT4))
    later = part(quality, INT8, created="2026-02-02T00:00:00+00:00", gates=[gated("accuracy", INT8, drop_of(0.25))])
    broken = {"candidate": INT4, "outcome": "failed", "message": "no build:\n  too *coarse*"}
    later["broken"] = [{"test": test, **broken} for test in ("test_parity", "test_accuracy")]
    real_values.add_quality(path, later)
    real_page.write(page)
    found, text = rows(page), page.read_text(encoding="utf-8")
    assert found[INT8]["drop, points"] == "+0.25 (+0.15 … +0.35)"
    assert INT4 not in found  # what broke now has no verdict of old
    assert text.count(f"- {INT4}: no build: too \\*coarse\\*\n") == 1
    assert "Left out: scripted:int2: too coarse.\n" in text
    assert "Judged 2026-02-02T00:00:00+00:00. Made up." in text
    real_values.add_quality(path, part(quality, INT4))
    real_page.write(page)
    text = page.read_text(encoding="utf-8")
    assert list(rows(page)) == [BASE, INT8, INT4]
    assert "coarse\\*" not in text
    assert "Judged 2026-01-01T00:00:00+00:00 to 2026-02-02T00:00:00+00:00." in text


def test_costs_join_the_model_that_was_judged_and_stay_while_it_does(page: Path, quality: Any) -> None:
    path = real_values.file_of(page, SIZE)
    real_values.add_quality(path, quality)
    peaks = {"peak_memory": 204e6, "baseline_peak_memory": 301e6}
    real_values.add_costs(path, part(quality, INT8, gates=[gated("memory", INT8, **peaks)]), "memory")
    stages = times("encoder", 2.0, Verdict.PASS), times("pipeline", 1.05, Verdict.INCONCLUSIVE)
    real_values.add_costs(path, part(quality, INT8, gates=[gated("speedup", INT8, *stages)]), "speed")
    real_values.add_quality(path, quality)  # of the same models
    real_page.write(page)
    found = rows(page)
    assert (found[BASE]["peak memory, MB"], found[INT8]["peak memory, MB"]) == ("301", "204")
    assert found[INT4]["peak memory, MB"] == NOT_RUN
    assert found[INT8]["encoder, times"] == "2.00 (1.90 … 2.10)"
    assert found[INT8]["pipeline, times"] == "1.05 (0.95 … 1.15) ?"
    assert found[INT8]["decoder, times"] == NOT_RUN
    assert "Speed was not measured" not in page.read_text(encoding="utf-8")
    drawn = (page.parent / "images" / f"real-{SIZE}-speed.svg").read_text(encoding="utf-8")
    assert f"{INT8}: 50.00 % wrong, 1.05 times as fast (0.95 … 1.15)" in drawn

    rebuilt = part(quality, INT8)
    rebuilt["models"][INT8]["identity"] = "another build"
    with pytest.raises(
        RecipeError, match=f"{INT8}: .* has the quality of another build, or another processor; measure"
    ):
        real_values.add_costs(path, rebuilt, "memory")
    real_values.add_quality(path, rebuilt)
    real_page.write(page)
    assert rows(page)[INT8]["peak memory, MB"] == rows(page)[INT8]["encoder, times"] == NOT_RUN
    assert not (page.parent / "images" / f"real-{SIZE}-speed.svg").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cut_short": True}, r"the run of tiny\.en was cut short: start it again"),
        ({"corpus": {"digest": "e" * 64}}, "digest 'dddd.*' there, 'eeee.*' here"),
        ({"settings": {"seed": 1}}, "seed 0 there, 1 here"),
        ({"environment": {"threads": 2}}, "threads 1 there, 2 here. Give another --page, or begin the file anew"),
        ({"environment": {"versions": dict.fromkeys(real_values.SHARED, "2")}}, "numpy '1.0' there, '2' here"),
    ],
)
def test_what_does_not_belong_together_replaces_nothing(
    change: dict[str, Any], said: str, page: Path, quality: Any
) -> None:
    path = real_values.file_of(page, SIZE)
    real_values.add_quality(path, quality)
    before = path.read_bytes()
    other = changed(quality, change)
    with pytest.raises(RecipeError, match=said):
        real_values.add_quality(path, part(quality, INT8, **other))
    assert path.read_bytes() == before
    if "cut_short" not in change:
        real_values.add_quality(path, part(quality, INT8, **other), anew=True)
        assert list(real_values.read(path)["candidates"]) == [INT8]


def test_anew_keeps_what_was_measured_under_the_same_circumstances(page: Path, quality: Any) -> None:
    path = real_values.file_of(page, SIZE)
    real_values.add_quality(path, quality)
    real_values.add_quality(path, part(quality, INT8), anew=True)
    assert set(real_values.read(path)["candidates"]) == {INT8, INT4}


def test_a_model_that_was_judged_on_another_processor_says_so(page: Path, quality: Any) -> None:
    path, arm = real_values.file_of(page, SIZE), changed(quality, {"environment": {"cpu": "arm"}})
    real_values.add_quality(path, quality)
    real_values.add_quality(path, part(quality, INT4, **arm, left_out=[f"{INT8}: not here", "scripted:int2: coarse"]))
    real_page.write(page)
    text = page.read_text(encoding="utf-8")
    table = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| scripted")][:4]
    expected = [(BASE, "A"), (BASE, "B"), (INT8, "A"), (INT4.replace("_", "\\_"), "B")]
    assert table == [[f"| {name}", letter] for name, letter in expected]
    assert "- **Machine**: A: x86; B: arm; 1 thread;" in text
    assert "| on | the processor" in text
    assert "Left out: scripted:int2: coarse." in text  # int8 was judged elsewhere

    peaks = {"peak_memory": 204e6, "baseline_peak_memory": 301e6}
    with pytest.raises(RecipeError, match=f"{INT8}: .* another build, or another processor; measure that first"):
        real_values.add_costs(path, part(quality, INT8, **arm, gates=[gated("memory", INT8, **peaks)]), "memory")
    real_values.add_costs(path, part(quality, INT4, **arm, gates=[gated("memory", INT4, **peaks)]), "memory")
    values = real_values.read(path)
    assert [one["peak_memory"] for one in values["baselines"]] == [None, 301e6]

    real_values.add_quality(path, part(quality, INT8, **arm))  # nothing is left of the first processor
    real_page.write(page)
    assert [one["cpu"] for one in real_values.read(path)["baselines"]] == ["arm"]
    assert set(rows(page)) == {BASE, INT8, INT4}


def test_costs_are_of_models_that_were_judged_here(ladder: Ladder, page: Path, quality: Any) -> None:
    real_values.add_quality(real_values.file_of(page, SIZE), quality)
    with pytest.raises(RecipeError, match=f"{INT8}, {INT4}: judged on another processor; measure their quality here"):
        real_ladder.measure(ladder, SIZE, ("memory",))


def test_the_same_recordings_may_be_in_another_folder(page: Path, quality: Any) -> None:
    path = real_values.file_of(page, SIZE)
    real_values.add_quality(path, quality)
    real_values.add_quality(path, part(quality, INT8, corpus={**quality["corpus"], "name": "recordings"}))
    assert set(real_values.read(path)["candidates"]) == {INT8, INT4}


def test_another_release_of_a_runtime_is_a_record_s_own(page: Path, quality: Any) -> None:
    real_values.add_quality(real_values.file_of(page, SIZE), quality)
    later = part(quality, INT8)
    later["models"][INT8]["versions"] = {"script": "2"}
    real_values.add_quality(real_values.file_of(page, SIZE), later)
    real_page.write(page)
    assert "script 1 and 2.\n" in page.read_text(encoding="utf-8")


def test_nothing_of_the_recordings_is_kept(page: Path, quality: Any) -> None:
    path = real_values.file_of(page, SIZE)
    real_values.add_quality(path, quality)
    assert "secret" not in path.read_text(encoding="utf-8")


def test_sizes_share_what_is_said_of_their_runs_or_do_not(page: Path, quality: Any) -> None:
    real_values.add_quality(real_values.file_of(page, "base"), quality)
    real_values.add_quality(real_values.file_of(page, SIZE), quality)
    real_page.write(page)
    text = page.read_text(encoding="utf-8")
    assert text.count("**Machine**: ") == 1
    assert text.index(f"\n## {SIZE}\n") < text.index("\n## base\n")
    other = {**quality, "environment": {**quality["environment"], "cpu": "arm"}}
    real_values.add_quality(real_values.file_of(page, "base"), other, anew=True)
    real_page.write(page)
    text = page.read_text(encoding="utf-8")
    assert text.index("Of tiny.en:") < text.index("**Machine**: x86;") < text.index("Of base:")
    assert text.index("Of base:") < text.index("**Machine**: arm;")


def test_a_page_without_values_is_refused(page: Path) -> None:
    with pytest.raises(RecipeError, match=r"no values beside .*page\.md: run the ladder with --measure quality first"):
        real_page.write(page)
    assert not page.exists()


def test_gates_that_cannot_run_end_the_ladder(ladder: Ladder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--whisperq-baseline=nonsense")
    with pytest.raises(RecipeError, match="pytest ended with exit code 4"):
        real_ladder.measure(ladder, SIZE, ("quality",))


@pytest.mark.parametrize(
    ("precisions", "said"),
    [("int9", "unknown precision 'int9'"), ("float16", "nothing that was chosen executes here")],
)
def test_what_nothing_has_is_said(precisions: str, said: str, ladder: Ladder) -> None:
    with pytest.raises(RecipeError, match=said):
        real_ladder.measure(replace(ladder, precisions=precisions), SIZE, ("quality",))


def test_the_committed_page_is_that_of_the_committed_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered by the command, without recordings, weights or a cache."""
    shutil.copytree(DOCS / "real-whisper", tmp_path / "real-whisper")
    monkeypatch.delenv("WHISPERQ_REAL_CORPUS", raising=False)
    arguments = f"real-ladder --measure= --work {tmp_path / 'work'} --page {tmp_path / 'real-whisper.md'}"
    monkeypatch.setattr("sys.argv", ["make", *arguments.split()])
    assert command.main() == 0
    assert (tmp_path / "real-whisper.md").read_text("utf-8") == (DOCS / "real-whisper.md").read_text("utf-8")
    drawn = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert drawn == sorted(path.name for path in (DOCS / "images").glob("real-*.svg"))
    for name in drawn:
        assert (tmp_path / "images" / name).read_bytes() == (DOCS / "images" / name).read_bytes(), name
