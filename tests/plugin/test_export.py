"""Models that leave the cache: only what passed, whole, and checked again before deployment."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_project import Project, catastrophic, same, slipping

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends.scripted import ScriptedBackend, ScriptedTranscriber
from pytest_whisperq.reporting.export import CERTIFICATE, refusal, with_digest

GATES = """
import pytest

@pytest.mark.whisperq_accuracy
def test_accuracy():
    pass

@pytest.mark.whisperq_size(max_ratio=2)
def test_size():
    pass
"""

GOOD = "@pytest.mark.whisperq_accuracy\ndef test_it(): pass\n\n"


@pytest.fixture
def exported(project: Project) -> Path:
    """A model that passed, copied out of the cache."""
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    result = project.run("--whisperq-export=models")
    result.stdout.fnmatch_lines(["*whisperq: exported models/scripted-int8; before deployment: whisperq *verify *"])
    return project.pytester.path / "models" / "scripted-int8"


def test_a_model_that_passed_is_copied_with_what_its_gates_found(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == {"scripted.json", CERTIFICATE}
    found = json.loads((exported / CERTIFICATE).read_text())
    assert found["candidate"] == "scripted:int8"
    assert sorted(gate["gate"] for gate in found["gates"]) == ["accuracy", "size"]
    (drop,) = [check for gate in found["gates"] for check in gate["checks"] if check["name"] == "drop"]
    assert drop["upper"] < drop["limit"]
    assert found["corpus"]["utterances"] == 300
    assert len(found["model"]["identity"]) == 64


def test_what_did_not_pass_stays_where_it_is_and_the_reason_is_said(project: Project) -> None:
    project.record(int8=same, int4_sym=catastrophic)
    project.pytester.makepyfile(GATES)
    both = "--whisperq-candidate=scripted:int8,scripted:int4-sym"
    result = project.run("--whisperq-export=models", both)
    assert [path.name for path in (project.pytester.path / "models").iterdir()] == ["scripted-int8"]
    result.stdout.fnmatch_lines(["*whisperq: not exported: scripted:int4-sym: its accuracy gate ended FAIL*"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@pytest.mark.whisperq_size(max_ratio=2)\ndef test_it(): pass", "no accuracy gate judged it"),
        ("@pytest.mark.whisperq_accuracy\ndef test_it(): assert False", "*test_it*failed without a verdict"),
        (
            f"{GOOD}def test_other(whisperq_gate):\n    whisperq_gate.size(max_ratio=2)\n    assert False",
            "*test_other*failed",
        ),
        (
            f"{GOOD}@pytest.mark.skip\n@pytest.mark.whisperq_memory\ndef test_other(): pass",
            "*test_other*skipped without a verdict",
        ),
    ],
)
def test_what_is_not_known_to_be_good_is_refused(project: Project, text: str, reason: str) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(f"import pytest\n\n{text}\n")
    result = project.run("--whisperq-export=models")
    result.stdout.fnmatch_lines([f"*not exported: scripted:int8: {reason}"])
    assert not (project.pytester.path / "models").exists()


def test_a_run_that_was_cut_short_exports_nothing(project: Project) -> None:
    project.record(int8=same, int4_sym=catastrophic)
    project.pytester.makepyfile(GATES)
    both = "--whisperq-candidate=scripted:int8,scripted:int4-sym"
    result = project.run("--whisperq-export=models", both, "-x")
    result.stdout.fnmatch_lines(
        ["*not exported: the run was cut short, or tests could not be collected: gates may be missing*"]
    )
    assert not (project.pytester.path / "models").exists()


def test_a_candidate_that_fell_back_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the processor has the type, the same files would run as another model, which was never gated."""
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    load = ScriptedBackend.load

    def otherwise(self: ScriptedBackend, precision: str, directory: Path, threads: int) -> ScriptedTranscriber:
        found = load(self, precision, directory, threads)
        found.compute_type = "float32"
        return found

    monkeypatch.setattr(ScriptedBackend, "load", otherwise)
    result = project.run("--whisperq-export=models", "--whisperq-allow-fallback")
    result.stdout.fnmatch_lines(["*not exported: scripted:int8: it ran as float32, which is not what it is*"])


def test_a_candidate_is_not_refused_for_one_whose_name_begins_alike() -> None:
    gate = {
        "verdict": "PASS",
        "outcome": "passed",
        "test": "t",
        "judgement": {"gate": "accuracy", "candidate": "a:int8"},
    }
    broken = {"test": "t[a-int8-ptq]", "candidate": "a:int8-ptq", "outcome": "failed", "message": ""}
    document = {"gates": [gate], "broken": [broken], "models": {"a:int8": {"fell_back": False}}}
    assert refusal(document, "a:int8") == ""


def damage(project: Project) -> None:
    """Flip a bit of the weights that a run has just gated."""
    records = (project.pytester.path / "cache" / "artifacts").glob("*/artifact.json")
    (entry,) = (path.parent for path in records if '"precision": "int8"' in path.read_text())
    weights = entry / "model" / "scripted.json"
    weights.write_bytes(weights.read_bytes().replace(b"alpha", b"alphb", 1))


def test_damaged_weights_fail_a_run_that_should_export_them_and_the_next_one_heals(project: Project) -> None:
    """The gates read cached transcripts, so that nothing else looks at the weights."""
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    project.run()
    damage(project)
    result = project.run("--whisperq-export=models")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*--whisperq-export: files of scripted:int8 in the cache were damaged, and are removed; run again*"]
    )
    assert not (project.pytester.path / "models").exists()
    result = project.run("--whisperq-export=models")
    assert result.ret == pytest.ExitCode.OK
    assert main(["verify", str(project.pytester.path / "models")]) == 0


def test_one_damaged_candidate_does_not_keep_the_others(project: Project) -> None:
    project.record(int8=same, int4_sym=same)
    project.pytester.makepyfile(GATES)
    both = "--whisperq-candidate=scripted:int8,scripted:int4-sym"
    project.run(both)
    damage(project)
    result = project.run(both, "--whisperq-export=models")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [path.name for path in (project.pytester.path / "models").iterdir()] == ["scripted-int4-sym"]


def test_what_is_gone_before_the_end_is_not_built_anew_and_exported_unheard(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    project.pytester.makeconftest(
        "import shutil, pytest\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_sessionfinish(session):\n"
        "    shutil.rmtree('cache/artifacts')\n"
    )
    result = project.run("--whisperq-export=models")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*scripted:int8 is no longer in the cache as it was gated; run again*"])
    assert not (project.pytester.path / "models").exists()


def test_what_lies_beside_the_weights_in_the_cache_is_not_exported(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    project.run()
    for folder in (project.pytester.path / "cache" / "artifacts").glob("*/model"):
        (folder / "notes.txt").write_text("mine")
    project.run("--whisperq-export=models")
    found = project.pytester.path / "models" / "scripted-int8"
    assert {path.name for path in found.iterdir()} == {"scripted.json", CERTIFICATE}


def test_an_export_goes_where_a_link_leads(project: Project, exported: Path) -> None:
    real = project.pytester.path / "elsewhere"
    exported.rename(real)
    exported.symlink_to(real)
    before = (real / CERTIFICATE).stat().st_ino
    assert project.run("--whisperq-export=models").ret == pytest.ExitCode.OK
    assert exported.is_symlink()
    assert (real / CERTIFICATE).stat().st_ino != before


def test_a_waived_failure_is_refused(project: Project) -> None:
    project.record(int8=slipping)
    project.pytester.makepyfile(GATES.replace("whisperq_accuracy", "whisperq_accuracy(max_drop=0.1)"))
    waiver = '[[waiver]]\nid = "accuracy/scripted:int8"\nreason = "later"\nexpires = 2999-01-01\n'
    (project.pytester.path / "waivers.toml").write_text(waiver)
    result = project.run("--whisperq-export=models", "--whisperq-waivers=waivers.toml")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*not exported: scripted:int8: its accuracy gate ended *"])


def test_a_later_export_replaces_the_earlier_one_whole(project: Project, exported: Path) -> None:
    (exported / "left over").write_text("from before")
    project.run("--whisperq-export=models")
    assert {path.name for path in exported.iterdir()} == {"scripted.json", CERTIFICATE}
    assert [path.name for path in exported.parent.iterdir()] == ["scripted-int8"]


def test_an_earlier_export_stays_where_a_later_one_cannot_take_its_place(
    project: Project, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        # The new copy alone: neither the earlier one on its way aside, nor on its way back.
        if Path(target).name == exported.name and not self.name.endswith("_old"):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    result = project.run("--whisperq-export=models")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*whisperq: --whisperq-export: cannot write *scripted-int8: Permission denied*"])
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before
    assert [path.name for path in exported.parent.iterdir()] == ["scripted-int8"]


@pytest.mark.parametrize("left", ["scripted.json", CERTIFICATE])
def test_what_a_killed_export_left_is_no_model(exported: Path, left: str, capsys: pytest.CaptureFixture[str]) -> None:
    (exported.parent / ".build-scripted-int8-x1y2z3").mkdir()
    (exported.parent / ".build-scripted-int8-x1y2z3" / left).write_text("{}")
    assert main(["verify", str(exported.parent)]) == 0
    assert "x1y2z3" not in capsys.readouterr().out


def test_a_sound_copy_is_verified(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(exported)]) == 0
    assert "scripted:int8: sound, as it was gated" in capsys.readouterr().out
    assert main(["verify", str(exported.parent)]) == 0  # all of a folder


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda folder: (folder / "scripted.json").write_text("{}"), "scripted.json has changed"),
        (lambda folder: (folder / "scripted.json").unlink(), "scripted.json is missing"),
        (lambda folder: (folder / "more.bin").write_text(""), "more.bin was not there when it was gated"),
        (lambda folder: (folder / "more").mkdir(), "more was not there when it was gated"),
        (lambda folder: os.mkfifo(folder / "pipe"), "pipe was not there when it was gated"),
        (
            lambda folder: (folder / "more.json").symlink_to("scripted.json"),
            "more.json was not there when it was gated",
        ),
        (lambda folder: as_link(folder / "scripted.json"), "scripted.json is a link, or no regular file"),
        (lambda folder: as_pipe(folder / "scripted.json"), "scripted.json is a link, or no regular file"),
        (
            lambda folder: rewrite(folder, lambda record: record["gates"][0]["checks"][0].update(verdict="FAIL")),
            "its gates did not all pass",
        ),
    ],
)
def test_what_is_not_what_was_gated_is_named(
    exported: Path, capsys: pytest.CaptureFixture[str], harm: object, found: str
) -> None:
    harm(exported)  # type: ignore[operator]
    assert main(["verify", str(exported)]) == 1
    assert found in capsys.readouterr().out


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record of an exported model as its writer would have written it."""
    record = json.loads((folder / CERTIFICATE).read_text())
    change(record)
    (folder / CERTIFICATE).write_text(json.dumps(with_digest(record)))


def as_link(file: Path) -> None:
    """Move a file away and leave a link to it, which may lead elsewhere tomorrow."""
    file.rename(file.parent.parent / "moved")
    file.symlink_to(file.parent.parent / "moved")


def as_pipe(file: Path) -> None:
    """Put a pipe in the place of a file: whoever reads it waits for ever."""
    file.unlink()
    os.mkfifo(file)


def test_folders_within_folders_are_named_and_not_walked(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = exported / "a", exported.parent / "b"
    one.mkdir()
    for _ in range(1500):  # from the inside out, for a path has no room for so many names
        other.mkdir()
        one.rename(other / "a")
        other.rename(one)
    assert main(["verify", str(exported)]) == 1
    assert "scripted:int8: a was not there when it was gated\n" in capsys.readouterr().out
    for _ in range(1500):  # pytest could not remove them
        (one / "a").rename(other)
        one.rmdir()
        other.rename(one)


def test_files_in_folders_are_verified_but_not_through_a_link(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (exported / "part").mkdir()
    (exported / "scripted.json").rename(exported / "part" / "scripted.json")
    rewrite(exported, lambda record: record.update(files={"part/scripted.json": record["files"]["scripted.json"]}))
    assert main(["verify", str(exported)]) == 0
    (exported / "part").rename(exported.parent / "moved")
    (exported / "part").symlink_to(exported.parent / "moved")
    capsys.readouterr()
    assert main(["verify", str(exported)]) == 1
    text = capsys.readouterr().out
    assert "part is a link, or no regular file" in text
    assert "part/scripted.json is missing" in text


@pytest.mark.parametrize("name", ["../scripted.json", "/etc/hostname", "part/../../x"])
def test_a_record_of_files_elsewhere_is_damaged(exported: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(exported, lambda record: record["files"].update({name: "0" * 64}))
    assert main(["verify", str(exported)]) == 2
    assert "is damaged (it names files outside of its folder)" in capsys.readouterr().err


def test_a_record_in_which_a_figure_has_changed_is_damaged(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = exported / CERTIFICATE
    path.write_text(path.read_text().replace('"limit": 1.0', '"limit": 9.0'))
    assert main(["verify", str(exported)]) == 2
    assert "is damaged (its sha256 is not that of what it says)" in capsys.readouterr().err


@pytest.mark.parametrize("make", [as_link, as_pipe])
def test_a_record_that_is_no_regular_file_is_refused(
    exported: Path, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    make(exported / CERTIFICATE)
    assert main(["verify", str(exported)]) == 2
    assert "whisperq-gate.json: is no regular file" in capsys.readouterr().err


def test_a_folder_that_may_not_be_entered_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    assert main(["verify", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: cannot be read: Permission denied\n"


def test_a_record_nested_without_end_is_damaged(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (exported / CERTIFICATE).write_text("[" * 100_000)
    assert main(["verify", str(exported)]) == 2
    assert "is damaged (" in capsys.readouterr().err


def test_another_environment_is_named_and_is_no_damage(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(exported, lambda record: record["environment"].update(cpu="aarch64 i8mm"))
    rewrite(exported, lambda record: record["model"].update(versions={"numpy": "0.1"}))
    assert main(["verify", str(exported)]) == 0
    text = capsys.readouterr().out
    assert "differs: numpy 0.1, here " in text
    assert "differs: processor aarch64 i8mm, here " in text


def test_what_is_no_export_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "is no exported model, it has no whisperq-gate.json" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    (tmp_path / CERTIFICATE).write_text("{}")
    assert main(["verify", str(tmp_path)]) == 2
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value"),
    [("candidate", None), ("files", []), ("files", None), ("model", {"versions": []}), ("gates", [{"checks": [1]}])],
)
def test_a_record_that_lacks_something_is_damaged(
    exported: Path, key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(exported, lambda record: record.pop(key) if value is None else record.update({key: value}))
    assert main(["verify", str(exported)]) == 2
    assert "whisperq-gate.json: is damaged (" in capsys.readouterr().err


def test_what_is_no_export_is_not_replaced(project: Project) -> None:
    project.record(int8=same)
    project.pytester.makepyfile(GATES)
    own = project.pytester.path / "models" / "scripted-int8" / "model.bin"
    own.parent.mkdir(parents=True)
    own.write_text("converted by hand")
    result = project.run("--whisperq-export=models")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*--whisperq-export: models/scripted-int8 is no exported model; move it away*"])
    assert own.read_text() == "converted by hand"
    own.unlink()
    project.run("--whisperq-export=models").stdout.fnmatch_lines(["*exported models/scripted-int8*"])
