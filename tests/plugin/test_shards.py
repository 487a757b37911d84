"""A run in shards says what one run of the whole corpus says, whoever decodes which shard where."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from scripted_project import GATES, Project, report, without_times

SHARDS = 8


def few(number: int, text: str) -> str:
    return text.replace("alpha", "bravo") if number % 25 == 0 else text


def most(number: int, text: str) -> str:
    return "bravo" if number % 2 else text


GATED = ("--whisperq-precision=int8,int4-sym", "--whisperq-max-drop=3")
TESTS = f"""{GATES}
@pytest.mark.whisperq_catastrophe
@pytest.mark.whisperq_size
def test_the_rest():
    pass

@pytest.mark.whisperq_determinism
def test_again():
    pass
"""


def shard(project: Project, number: int, *arguments: str, of: int = SHARDS) -> pytest.RunResult:
    """Run one shard on a machine of its own, with a cache of its own."""
    place = (f"--whisperq-cache-dir=machine{number}", f"--whisperq-save=run-{number}.json")
    return project.run(*GATED, *place, f"--whisperq-shard={number}/{of}", *arguments)


def files(of: int = SHARDS) -> str:
    return ",".join(f"run-{number}.json" for number in range(1, of + 1))


def page(project: Project, folder: str) -> str:
    text = (project.pytester.path / folder / "report.html").read_text(encoding="utf-8")
    return re.sub(r"\d\d\d\d-\d\d-\d\dT[\d:+]+|[\d.]+ (?:s|MB)\b", "", text)


@pytest.mark.parametrize("of", [2, pytest.param(SHARDS, marks=pytest.mark.matrix)])
def test_shards_say_what_one_run_says(project: Project, monkeypatch: pytest.MonkeyPatch, of: int) -> None:
    project.record(120, speakers=30, int8=few, int4_sym=most)
    project.pytester.makepyfile(TESTS)
    for number in range(1, of + 1):
        decoded = shard(project, number, of=of)
        decoded.assert_outcomes(skipped=8)
        assert decoded.ret == 0
    decoded.stdout.fnmatch_lines([f"*shard {of} of {of}: * of 120 utterances, * of 3.0 minutes*"])
    decoded.stdout.fnmatch_lines(["*when all are saved: whisperq merge run-[*].json -- *--whisperq-max-drop=3*"])
    project.pytester.makepyfile(TESTS.replace("determinism", "size"))  # determinism would run a model again
    whole = project.run(*GATED, "--whisperq-report=whole")

    def load(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("pytest_whisperq.backends.scripted.ScriptedBackend.load", load)
    judge = ("--whisperq-cache-dir=judging", f"--whisperq-merge={files(of)}", "--whisperq-report=merged")
    merged = project.run(*GATED, *judge)
    assert merged.parseoutcomes() == whole.parseoutcomes()
    assert merged.ret == whole.ret == 1  # int4-sym says something else in every second clip
    merged.stdout.fnmatch_lines(
        [f"*merged {of} shards: 120 utterances, transcribed by scripted:float32, scripted:int*"]
    )
    assert {gate["verdict"] for gate in report(project, "merged")["gates"]} == {"PASS", "FAIL", "INCONCLUSIVE"}
    assert without_times(report(project, "merged")) == without_times(report(project, "whole"))
    assert page(project, "merged") == page(project, "whole")
    assert not list((project.pytester.path / "judging" / "artifacts").glob("*/model"))  # nothing was built


def test_a_shard_with_workers_decodes_each_clip_once_and_the_command_judges(request: pytest.FixtureRequest) -> None:
    project = Project(request, ("-n2",))
    project.record(40, int8=few)
    body = "def test_own(whisperq_candidate):\n    assert len(whisperq_candidate.transcripts.texts) == 40\n"
    project.pytester.makepyfile(GATES + body)
    for number in (1, 2):  # as with a folder that both machines see
        decoded = project.run(f"--whisperq-shard={number}/2", f"--whisperq-save=run-{number}.json")
        assert decoded.parseoutcomes()["skipped"] == 3
    clips = [json.loads(line)["clip"] for path in project.transcript_files() for line in lines(path)]
    assert len(clips) == 2 * len(set(clips)) == 80  # both models, each clip once
    arguments = ["--whisperq-model=model", "--whisperq-baseline=scripted", "--whisperq-corpus=calls"]
    judge = [
        *arguments,
        "--whisperq-backend=scripted",
        "--whisperq-cache-dir=judging",
        "--whisperq-min-exact-match=0.5",
    ]
    merge = project.pytester.run(sys.executable, "-m", "pytest_whisperq", "merge", "run-1.json", "run-2.json")
    merge.stdout.fnmatch_lines(["*2 shards, all of one run*", "whisperq merge run-1.json run-2.json -- *-n2*"])
    assert (project.pytester.path / "judging").exists() is False
    command = [sys.executable, "-m", "pytest_whisperq", "merge", "run-1.json", "run-2.json", "--", *judge]
    judged = project.pytester.run(*command)
    assert judged.parseoutcomes()["passed"] >= 2  # parity, and a body that has the whole corpus now
    foreign = project.pytester.run(*command, "--whisperq-seed=1")
    assert foreign.ret == 4
    foreign.stderr.fnmatch_lines(["*run-1.json is of another run: the seed is 0, and 1 in this run*"])


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[1:]


def test_a_plain_run_judges_the_cache_of_shards_and_a_broken_shard_is_not_saved(project: Project) -> None:
    project.record(30, int8=few, int4_sym=lambda number, text: None if number == 3 else text)  # type: ignore[arg-type,return-value]
    project.pytester.makepyfile(GATES)
    for number in (1, 2):
        assert project.run(f"--whisperq-shard={number}/2").ret == 0
    files = {path: path.read_bytes() for path in project.transcript_files()}
    assert project.run("--whisperq-max-divergence=0.5", "--whisperq-max-drop=50").ret == 0
    assert {path: path.read_bytes() for path in project.transcript_files()} == files
    outcomes = [
        project.run("--whisperq-precision=int4-sym", f"--whisperq-shard={number}/2", "--whisperq-save=run.json")
        for number in (1, 2)
    ]
    assert sorted(one.ret for one in outcomes) == [0, 1]
    next(one for one in outcomes if one.ret).stdout.fnmatch_lines(["*shard * of 2 is not saved: 2 tests failed*"])


def test_what_a_body_alone_asks_for_is_in_the_shards(project: Project) -> None:
    project.record(10, int8=few, int4_sym=few)
    body = "assert len(whisperq_candidate.transcripts.texts) == 10"
    project.pytester.makepyfile(f"def test_own(whisperq_candidate):\n    {body}")
    for number in (1, 2):
        shard(project, number, of=2).assert_outcomes(skipped=2)
    judge = ("--whisperq-cache-dir=judging", f"--whisperq-merge={files(2)}")
    project.run(*GATED, *judge).assert_outcomes(passed=2)


@pytest.mark.matrix
def test_the_github_matrix_of_the_docs_says_what_one_run_says(project: Project) -> None:
    """Its commands are run here, shard by shard, in folders that have no more than their jobs would have."""
    text = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    (block,) = (one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "matrix" in one)
    jobs = yaml.safe_load(block)["jobs"]
    (decode,) = (step["run"] for step in jobs["decode"]["steps"] if "--whisperq-shard" in step.get("run", ""))
    (upload,) = (step["with"] for step in jobs["decode"]["steps"] if "upload" in step.get("uses", ""))
    (judge,) = (step["run"] for step in jobs["judge"]["steps"] if "whisperq merge" in step.get("run", ""))
    assert jobs["judge"]["needs"] == "decode"
    project.record(24, int8=few)
    here = project.pytester.path
    (here / "recordings").mkdir()
    (here / "recordings" / "test_gates.py").write_text(GATES, encoding="utf-8")
    options = ["baseline = scripted", f"corpus = {project.corpus}", "max_drop = 30", "max_divergence = 0.5"]
    shared = f"[pytest]\nwhisperq_model = {project.model}\nwhisperq_" + "\nwhisperq_".join(options)
    shards = jobs["decode"]["strategy"]["matrix"]["shard"]

    def run(job: str, command: str) -> None:
        folder = here / job
        folder.mkdir(exist_ok=True)
        (folder / "recordings").symlink_to(here / "recordings", target_is_directory=True)
        (folder / "pytest.ini").write_text(f"{shared}\nwhisperq_cache_dir = {folder / 'cache'}\n", encoding="utf-8")
        python = f"{shlex.quote(sys.executable)} -m pytest"
        command = command.replace("ctranslate2", "scripted").replace("whisperq merge", f"{python}_whisperq merge")
        command = re.sub(r"^pytest ", f"{python} ", command)
        done = subprocess.run(["bash", "-ec", command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    for number in shards:
        job = f"decode{number}"
        run(job, decode.replace("${{ matrix.shard }}", str(number)))
        artifact = here / job / upload["path"].replace("${{ matrix.shard }}", str(number))
        (here / "judge").mkdir(exist_ok=True)
        artifact.rename(here / "judge" / artifact.name)
    run("judge", judge)
    run("whole", "pytest " + judge.partition(" -- ")[2])
    assert without_times(report(project, "judge/out")) == without_times(report(project, "whole/out"))
