"""What a user gets, byte for byte: every gate with every verdict, in every form that a run leaves behind.

`pytest tests/plugin/test_snapshots.py --regen-all` writes the snapshots anew; read their difference before it is
committed. Left out is what may differ between two runs, or two machines, of the same code: dates, times and versions.
"""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import soundfile
from pytest_regressions.file_regression import FileRegressionFixture
from ramp_model import EACH, NAMES, WORDS, inside, install, write_recording
from scripted_project import Project

from pytest_whisperq.backends import Clip
from pytest_whisperq.backends.scripted import ScriptedTranscriber
from pytest_whisperq.gates import energy, memory, speedup
from pytest_whisperq.measuring.memory import MemoryMeasurement
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system import package_data
from pytest_whisperq.system.redaction import text_digest

RECORDED = Path(__file__).parents[1] / "benchmarks" / "recorded.jsonl"
LEAVING = ("--whisperq-report=out", "--whisperq-save=run.json", "--junitxml=junit.xml", "-v", "-rsx")

OF_THE_RUN = re.compile(
    r"^(platform |cachedir: |rootdir: |configfile: |plugins: |hypothesis |collecting |created: |-+ generated )"
)
VOLATILE = (
    (re.compile(r"=+ (\d+ .*) in \d+\.\d+s(?: \([\d:]+\))? =+"), r"== \1 in TIME =="),
    (re.compile(r"/[^ ]*/test_\w+0(?=/)"), "FOLDER"),
    # In a wheel the embedded corpus is the package's own data.
    (re.compile(re.escape(str(package_data.corpus_directory().parent)) + "(?=/)"), "REPOSITORY/fixtures/audio"),
    (re.compile(re.escape(str(Path(__file__).parents[2]))), "REPOSITORY"),
    (re.compile(r"(\(whisper-normalizer) [\d.+]+"), r"\1 VERSION"),
    (re.compile(r"built in [\d.]+ s with at most [\d.]+ [kMG]B"), "built in TIME with MEMORY"),
    (re.compile(r"\b\d+ threads?\b"), "THREADS"),
)
OF_THE_MACHINE = {"created", "environment", "versions", "artifact", "build_seconds", "build_memory"}
DIGITS = 10
"""Significant digits that are compared; kernels of another processor may add in another order."""


def plain(value: Any, key: str = "") -> Any:
    """Return a part of a document without what is of the machine or the moment."""
    if key in OF_THE_MACHINE:
        return "…"
    if isinstance(value, dict):
        return {name: plain(part, name) for name, part in value.items()}
    if isinstance(value, list):
        parts = [plain(part) for part in value]
        return parts if key != "series" else [f"{len(parts)} series", text_digest(json.dumps(parts))]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return steady(value) if isinstance(value, str) else value


def steady(text: str) -> str:
    """Return a text without what may differ between two runs of the same code."""
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return text


def stored(path: Path) -> dict[str, Any]:
    """Read a stored run."""
    found: dict[str, Any] = plain(json.loads(path.read_text(encoding="utf-8")))
    return found


def junit(path: Path, document: dict[str, Any]) -> str:
    """Return the cases of a JUnit file: their names, how they ended, and whether their judgements are the report's."""
    gates: dict[str, list[Any]] = {gate["test"].rpartition("::")[2]: [] for gate in document["gates"]}
    for gate in document["gates"]:
        gates[gate["test"].rpartition("::")[2]].append(gate["judgement"])
    lines = []
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("name", "")
        judged = [plain(json.loads(found.get("value", ""))) for found in case.iter("property")]
        whose = "those of report.json" if judged == gates.get(name, []) else json.dumps(judged, ensure_ascii=False)
        told = [f"{part.tag} {part.get('message')} {part.text}" for part in case if part.tag != "properties"]
        lines += [f"{name}: {len(judged)} judgements: {whose}", *told]
    return steady("\n".join(lines))


def differs(told: dict[str, Any] | None) -> bool:
    """Whether models differ in what is told of them by name."""
    return len({str(one) for one in (told or {}).values()}) > 1


def everything(folder: Path, result: pytest.RunResult) -> str:
    """Return all that a run leaves behind, as one text; of the utterances only those whose texts differ."""
    report, saved = stored(folder / "out" / "report.json"), stored(folder / "run.json")
    told = [steady(line).rstrip() for line in result.outlines if not OF_THE_RUN.match(line)]
    judged = junit(folder / "junit.xml", report)
    is_same = report == saved
    for run in (report, saved):
        rows = [row for row in run.pop("utterances") if differs(row["texts"]) or differs(row["errors"])]
        run["differing"] = [json.dumps(row, ensure_ascii=False) for row in rows]
    parts = {
        "terminal": "\n".join(told),
        "summary.md": steady((folder / "out" / "summary.md").read_text(encoding="utf-8")),
        "junit.xml": judged,
        "report.json": json.dumps(report, ensure_ascii=False, indent=1),
        "run.json": "the same" if is_same else json.dumps(saved, ensure_ascii=False, indent=1),
    }
    return "".join(f"──── {name}\n{text}\n" for name, text in parts.items())


@pytest.fixture
def snapshot(
    project: Project, file_regression: FileRegressionFixture, monkeypatch: pytest.MonkeyPatch
) -> "partial[None]":
    """Return a function that runs the project's tests and compares all they leave with the file of that name."""
    monkeypatch.setenv("COLUMNS", "120")
    # Imported above: what a run imports for the first time is forgotten behind it.
    monkeypatch.setattr(speedup, "described", lambda device: "PROCESSOR")
    monkeypatch.setattr(energy, "cpu_features", lambda: "PROCESSOR")
    monkeypatch.setattr(energy.energy, "read", dict)  # of a machine that tells no joules

    def compare(name: str, *options: str) -> None:
        result = project.run(*LEAVING, *options)
        folder = Path(__file__).parent / "snapshots"
        file_regression.check(everything(project.pytester.path, result), fullpath=folder / f"{name}.txt")

    return partial(compare)


def suite_of(*gates: tuple[str, str]) -> str:
    """Return the source of one test for each gate and its keywords."""
    return "import pytest\n" + "".join(
        f"\n\n@pytest.mark.whisperq_{gate}({keywords})\ndef test_{gate}_{number}():\n    pass\n"
        for number, (gate, keywords) in enumerate(gates, 1)
    )


def damaged(index: int, text: str) -> Any:
    """Slip in every eighth clip, lose most of every twelfth, hear French in every tenth, and say some words late."""
    first, *others = text.split()
    if index % 12 == 0:
        return " ".join(others[:1])
    if index % 10 == 0:
        return [text, "fr"]
    if index % 5 == 1:
        return " ".join([first, *others[:-1], f"{others[-1]}@{5 if index % 3 == 0 else 3.5}"])
    return " ".join([first, *others[:-1], "wrong"]) if index % 8 == 3 else text


QUALITY = suite_of(
    ("accuracy", "max_drop=40"),
    ("accuracy", "max_drop=0.5"),
    ("accuracy", "max_drop=9"),
    ("accuracy", "max_drop=40, per='slice'"),
    ("accuracy", "max_drop=2, drop_type='relative', metric='cer'"),
    ("parity", "min_exact_match=0.5, max_divergence=0.3"),
    ("parity", "min_exact_match=0.99, max_divergence=0.01"),
    ("parity", "min_exact_match=0.8, max_divergence=0.1"),
    ("catastrophe", "max_rate=0.3"),
    ("catastrophe", "max_rate=0.02"),
    ("catastrophe", "max_rate=0.09"),
    ("language", "min_agreement=0.7"),
    ("language", "min_agreement=0.99"),
    ("language", "min_agreement=0.9"),
)
"""Every gate that hears the corpus, but that on times: passed, failed, and where the limit lies within the bounds."""


@pytest.fixture
def calls(project: Project, make_corpus: Any, make_script: Any) -> Project:
    """150 calls of 75 speakers in two languages, four of them silent, and a candidate that is `damaged`."""
    count, silent = 150, 4
    texts = [f"{NAMES[n % 10]} {NAMES[n // 10 % 10]} {NAMES[7 * n % 10]} hears it <b>now</b>" for n in range(count)]
    columns = {
        "language": ["en" if n % 3 else "fr" for n in range(count)],
        "kind": ["call"] * count + ["nonspeech"] * silent,
        "cluster": [f"speaker {n // 2}" for n in range(count + silent)],
        "line": ['mobile | "cell"' if n % 2 else "desk" for n in range(count + silent)],
    }
    columns["language"] += [""] * silent
    make_corpus(project.corpus, texts + [""] * silent, columns)
    said = [damaged(n, text) for n, text in enumerate(texts)] + ["thank you", "", "", ""]
    make_script(project.model, project.corpus, {"float32": None, "int8": said, "int4-sym": texts[:1] * len(said)})
    return project


def test_every_gate_on_the_corpus_with_every_verdict(calls: Project, snapshot: Any) -> None:
    calls.pytester.makepyfile(test_calls=QUALITY)
    snapshot("quality", "--whisperq-early-stop=false")


def test_the_gate_on_times_with_every_verdict(calls: Project, snapshot: Any) -> None:
    """A candidate that says everything, and the last word of every fifth clip half a second or two seconds late."""
    script = json.loads((calls.model / "scripted.json").read_text())
    for number, (clip, text) in enumerate(script["float32"].items()):
        late = f"{text}@{4.5 if number % 3 == 0 else 3}"
        script["int8"][clip] = late if number % 5 == 1 and text else text
    (calls.model / "scripted.json").write_text(json.dumps(script))
    limits = [("timestamps", f"max_shift={limit}") for limit in (9, 0.2, 1.7)]
    calls.pytester.makepyfile(test_times=suite_of(*limits))
    snapshot("times")


def test_the_gate_on_conditions_with_every_verdict(calls: Project, snapshot: Any) -> None:
    limits = ("drop<0.5 or (drop<40 and size-ratio<1.5)", "drop<0.5 and size-ratio<1.5", "drop<12 or size-ratio<0.1")
    calls.pytester.makepyfile(test_conditions=suite_of(*(("limit", repr(limit)) for limit in limits)))
    snapshot("conditions")


def test_two_candidates_of_which_one_is_broken(calls: Project, snapshot: Any) -> None:
    calls.pytester.makepyfile(test_calls=QUALITY)
    snapshot("broken", "--whisperq-candidate=scripted:int8,scripted:int4-sym", "-k", "2 or 9 or 12 or 6")


def test_a_redacted_run(calls: Project, snapshot: Any) -> None:
    calls.pytester.makepyfile(test_calls=QUALITY)
    snapshot("redacted", "--whisperq-redact", "-k", "accuracy or parity_7")


def test_what_cannot_be_told_is_skipped_or_looked_at_again(calls: Project, snapshot: Any) -> None:
    calls.pytester.makepyfile(test_calls=QUALITY)
    snapshot("skipped", "--whisperq-on-inconclusive=skip", "--whisperq-early-stop=false", "-k", "3 or 8 or 11 or 14")
    extending = ("--whisperq-on-inconclusive=extend", "--whisperq-max-utterances=40", "-k", "accuracy_3 or parity_6")
    snapshot("extended", *extending)


def test_a_waiver_and_a_saved_run(calls: Project, snapshot: Any) -> None:
    calls.pytester.makepyfile(test_calls=QUALITY)
    waiver = '[[waiver]]\nid = "catastrophe/scripted:int8"\nreason = "known"\nexpires = 2090-01-01\n'
    (calls.pytester.path / "waivers.toml").write_text(waiver)
    snapshot("waived", "--whisperq-waivers=waivers.toml", "-k", "catastrophe_10 or accuracy_1")
    (calls.pytester.path / "run.json").rename(calls.pytester.path / "before.json")
    snapshot("compared", "--whisperq-compare=before.json", "-k", "accuracy_1 or accuracy_3")


@pytest.mark.usefixtures("virtual_time")
def test_every_gate_on_costs_with_every_verdict(calls: Project, snapshot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    script = json.loads((calls.model / "scripted.json").read_text())
    script["float32"]["seconds"] = {"encoder": 0.04, "token": 0.002}
    script["int8"]["seconds"] = {"encoder": 0.01, "token": 0.002}
    (calls.model / "scripted.json").write_text(json.dumps(script))
    peaks = {"float32": (300_000_000, 301_000_000, 302_000_000), "int8": (200_000_000, 230_000_000, 204_000_000)}

    def measured(artifact: Any, *_: object) -> MemoryMeasurement:
        precision = artifact.spec.precision
        return MemoryMeasurement(compute_type=precision, device="cpu", peaks=peaks[precision])

    monkeypatch.setattr(memory, "measure_memory", measured)
    limits = (
        *(("size", f"max_ratio={limit}") for limit in (1.5, 0.1)),
        *(("memory", f"max_ratio={limit}") for limit in (0.9, 0.5, 0.7)),
        ("determinism", "repeats=2"),
        *(("speedup", f"stage='encoder', min_ratio={limit}") for limit in (1.5, 9)),
        ("speedup", "stage='decoder'"),
        *(("energy", f"max_ratio={limit}") for limit in (0.9, 0.01)),
    )
    calls.pytester.makepyfile(test_costs=suite_of(*limits))
    snapshot("costs", "--whisperq-timing-budget=6")
    texts = iter(range(10**6))
    said = ScriptedTranscriber.transcribe

    def unsteady(transcriber: ScriptedTranscriber, clips: Sequence[Clip]) -> Any:
        return [hypothesis.__class__(text=f"{next(texts)}", tokens=(1,)) for hypothesis in said(transcriber, clips)]

    monkeypatch.setattr(ScriptedTranscriber, "transcribe", unsteady)
    snapshot("unsteady", "-k", "determinism")


@pytest.mark.parametrize(("name", "streamed"), [("recordings", NAMES), ("recordings-lost", NAMES[:7])])
def test_every_gate_on_recordings(
    name: str, streamed: list[str], project: Project, snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.record(4, int8=lambda index, text: text)
    copy_recording(write_recording(project.pytester.path), 31)
    monkeypatch.setattr("pytest_whisperq.gates.streams.time", _Clock())

    def long(transcriber: ScriptedTranscriber, samples: Any, language: str | None) -> str:
        heard = inside(Clip(samples=samples, language=language), NAMES)
        return " ".join(word.text for word in heard if transcriber.compute_type != "int8" or word.text in streamed)

    install(monkeypatch, streamed, transcribe_long=long)
    limits = (
        *(("longform", f"max_drop={limit}") for limit in (60, 10, 30)),
        *(("streaming", f"max_wer_gap={limit}") for limit in (60, 10, 30)),
        ("streaming", "max_wer_gap=60, max_commit_lag=1, max_rtf=0.5"),
    )
    project.pytester.makepyfile(test_recordings=suite_of(*limits))
    snapshot(name, "--whisperq-long-form=call.jsonl")


def copy_recording(path: Path, count: int) -> None:
    """List as many copies of a recording, each of which ends in a sample of its own."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    samples, rate = soundfile.read(path.with_name(rows[0]["audio"]))
    for number in range(count):
        samples[-1] = number / 100
        soundfile.write(path.with_name(f"call{number}.wav"), samples, rate, "PCM_16")
        rows += [{**row, "audio": f"call{number}.wav"} for row in rows[: WORDS // EACH]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


class _Clock:
    """Passes a quarter of a second whenever somebody looks at it."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 0.25
        return self.now


def test_what_breaks_off(calls: Project, snapshot: Any) -> None:
    calls.pytester.makepyfile(
        test_broken=suite_of(("accuracy", "max_drop=40"))
        + """

def test_of_my_own(whisperq_gate, whisperq_candidate):
    whisperq_gate.report("parity")
    pytest.fail(f"not {whisperq_candidate.transcripts.texts[0]}", pytrace=False)


def test_of_a_gate_that_is_none(whisperq_gate):
    whisperq_gate.report("acuracy")
"""
    )
    snapshot("errors")


def test_sixty_clips_of_the_embedded_corpus_as_the_embedded_model_hears_them(project: Project, snapshot: Any) -> None:
    """What two of its int8 models said when it was recorded, through every gate of the packaged suites."""
    heard = {row["id"]: row for row in map(json.loads, RECORDED.read_text(encoding="utf-8").splitlines()[1:])}
    scripts: dict[str, dict[str, str]] = {"float32": {}, "int8": {}, "int4-sym": {}}
    for item in load_corpus(package_data.corpus_directory()).utterances:
        row = heard.get(item.id, {"baseline": "", "changed": {}})
        digest = audio.pcm_digest(audio.load(item.audio))
        for precision, name in (("float32", ""), ("int8", "openvino:int8"), ("int4-sym", "transformers:int8-dynamic")):
            scripts[precision][digest] = row["changed"].get(name, row["baseline"])
    project.model.mkdir()
    (project.model / "scripted.json").write_text(json.dumps(scripts))
    for gate in ("accuracy", "parity", "catastrophe"):
        shutil.copy(Path(__file__).parents[2] / "suites" / f"test_{gate}.py", project.pytester.path)
    candidates = "--whisperq-candidate=scripted:int8,scripted:int4-sym"
    snapshot("embedded", candidates, "--whisperq-corpus=embedded", "--whisperq-max-utterances=60")
