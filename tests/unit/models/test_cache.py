"""The cache command: it lists, finds damage, and removes only what no run can use."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from filelock import FileLock

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models import cache
from pytest_whisperq.models.random_weights import made_here
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact, ArtifactStore
from pytest_whisperq.system.cache_layout import CacheLayout
from pytest_whisperq.system.sealed import seal, unseal

StartRun = Callable[..., GateRunner]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def built(store: ArtifactStore, spec: ModelSpec) -> Artifact:
    return store.get(spec)


def problems(root: Path, *, verify: bool = True) -> list[str]:
    return [entry.problem for entry in cache.entries(root, verify=verify)]


def rewrite(built: Artifact, **changes: object) -> None:
    record = built.directory.parent / "artifact.json"
    (stored,) = unseal(record.read_bytes(), built.key).records
    record.write_text(seal({**stored, **changes}, built.key))


def test_a_cache_that_is_not_there_is_empty(root: Path) -> None:
    assert problems(root) == []
    assert list(cache.prune(root)) == []


def test_a_built_model_is_listed_by_what_it_is(root: Path, built: Artifact, spec: ModelSpec) -> None:
    (entry,) = cache.entries(root, verify=True)
    assert entry.name == f"scripted:int8 of {spec.source.name}"
    assert entry.size > built.size  # its record counts too
    assert entry.problem == ""
    assert abs(entry.changed - time.time()) < 60


def test_a_sound_model_is_never_pruned(root: Path, built: Artifact) -> None:
    assert list(cache.prune(root)) == []
    assert list(cache.prune(root, older_than=1)) == []
    assert built.directory.is_dir()


def test_damage_is_seen_only_by_verify_and_pruned(root: Path, built: Artifact) -> None:
    weights = built.directory / "scripted.json"
    weights.write_bytes(weights.read_bytes().replace(b"{", b"["))
    assert problems(root, verify=False) == [""]
    (found,) = problems(root)
    assert found.startswith("damaged: a file does not have the digest")
    assert [entry.path for entry in cache.prune(root)] == [built.directory.parent]
    assert problems(root) == []


@pytest.mark.parametrize("record", ["", "[]", "{", '{"files": 3}'])
def test_a_record_that_cannot_be_read_is_damage(root: Path, built: Artifact, record: str) -> None:
    (built.directory.parent / "artifact.json").write_text(record)
    assert problems(root) == ["damaged: its record cannot be read"]


def test_a_model_of_other_libraries_is_outdated(
    root: Path, store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "distributions", ("numpy",))
    built = store.get(spec)
    rewrite(built, versions={"numpy": "0.1"})
    (found,) = problems(root)
    assert found.startswith("built with other libraries than are installed: numpy 0.1 → ")
    assert len(list(cache.prune(root))) == 1


def test_a_model_of_another_layout_is_outdated(root: Path, built: Artifact) -> None:
    rewrite(built, schema=0)
    assert problems(root) == ["built by another version of pytest-whisperq"]


def test_a_killed_build_is_left_over_but_one_that_is_running_is_not(root: Path, built: Artifact) -> None:
    aside = root / "artifacts" / f".build-{'0' * 32}-abc"
    (aside / "model").mkdir(parents=True)
    assert list(cache.prune(root)) == []  # whose it is, nobody can tell
    with FileLock(root / "locks" / f"{'0' * 32}.lock"):
        assert list(cache.prune(root)) == []
    assert [entry.path for entry in cache.prune(root)] == [aside]
    assert built.directory.is_dir()


def test_a_build_that_is_running_is_not_listed_as_killed(root: Path, built: Artifact) -> None:
    (root / "artifacts" / f".build-{'0' * 32}-abc" / "model").mkdir(parents=True)
    with FileLock(root / "locks" / f"{'0' * 32}.lock"):
        assert problems(root) == [""]
    assert sorted(problems(root)) == ["", "left behind by a build that was killed"]


def test_what_vanishes_while_one_looks_is_passed_over(
    root: Path, store: ArtifactStore, spec: ModelSpec, built: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = root / "artifacts" / ("f" * 32)
    monkeypatch.setattr(CacheLayout, "entries", lambda self: iter([gone, built.directory.parent]))
    assert [entry.path for entry in cache.entries(root)][:1] == [built.directory.parent]


def test_a_model_that_was_built_again_meanwhile_stays(
    root: Path, built: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged when it was listed, sound when its turn came."""
    listed = iter([False])
    monkeypatch.setattr(cache, "is_sound", lambda path: next(listed, True))
    assert list(cache.prune(root)) == []
    assert built.directory.is_dir()


def test_a_model_of_libraries_that_are_not_here_belongs_to_another_environment(root: Path, built: Artifact) -> None:
    rewrite(built, versions={"no-such-distribution": "1.0"})
    assert problems(root) == [""]


def test_transcripts_are_listed_and_go_with_their_model(root: Path, tmp_path: Path, start_run: StartRun) -> None:
    run = start_run()
    transcripts = run.session.model(run.config.candidates[0]).transcripts
    assert [entry.name for entry in cache.entries(root) if entry.path.suffix == ".jsonl"] == [
        "transcripts of scripted:int8",
        "audio index",
    ]
    assert list(cache.prune(root)) == []
    shutil.rmtree(transcripts.artifact.directory.parent)
    assert [entry.problem for entry in cache.prune(root)] == ["their model is no longer in the cache"]


@pytest.fixture
def decoded_root(root: Path, start_run: StartRun) -> Path:
    """A cache with one model, its transcripts of five clips and what is known of their recordings."""
    run = start_run()
    assert run.session.model(run.config.candidates[0]).transcripts
    return root


def transcripts_in(root: Path) -> Path:
    (path,) = (root / "transcripts").iterdir()
    return path


def test_a_flipped_bit_in_a_transcript_is_damage(decoded_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = transcripts_in(decoded_root)
    path.write_bytes(path.read_bytes().replace(b'"seven"', b'"reven"'))
    assert main(["cache", "verify", "--cache-dir", str(decoded_root)]) == 1
    text = capsys.readouterr().out
    assert "transcripts of scripted:int8  (damaged: 1 of 6 lines; the next run decodes them again)" in text
    assert "2 of 3 entries" in text


def test_a_flipped_bit_in_the_audio_index_is_damage(decoded_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = decoded_root / "audio-index.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"seconds": 1.5', b'"seconds": 3.5', 1))
    assert main(["cache", "verify", "--cache-dir", str(decoded_root)]) == 1
    assert "audio index  (damaged: 1 of 5 lines; the next run reads" in capsys.readouterr().out
    path.write_text("{}\n")
    assert main(["cache", "verify", "--cache-dir", str(decoded_root)]) == 1
    assert [entry.path for entry in cache.prune(decoded_root)] == [path]


@pytest.mark.parametrize("length", [0, 20])
def test_transcripts_without_a_whole_first_line_are_unfinished_and_not_damaged(
    decoded_root: Path, length: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = transcripts_in(decoded_root)
    path.write_bytes(path.read_bytes()[:length])
    assert main(["cache", "verify", "--cache-dir", str(decoded_root)]) == 0
    assert "(left behind by a run that was killed before it decoded anything)" in capsys.readouterr().out
    assert [entry.path for entry in cache.prune(decoded_root)] == [path]


def test_transcripts_that_a_killed_run_left_are_sound_and_stay(decoded_root: Path) -> None:
    path = transcripts_in(decoded_root)
    path.write_bytes(path.read_bytes()[:-20])
    assert problems(decoded_root) == ["", "", ""]
    assert list(cache.prune(decoded_root)) == []


def test_age_is_counted_in_days(root: Path, built: Artifact) -> None:
    long_ago = time.time() - 3 * 86_400
    os.utime(built.directory.parent, (long_ago, long_ago))
    assert list(cache.prune(root, older_than=4)) == []
    assert len(list(cache.prune(root, older_than=2))) == 1


def test_list_prints_every_model_and_the_sum(root: Path, built: Artifact, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list", "--cache-dir", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{built.key[:12]}  " in lines[0]
    assert "scripted:int8 of " in lines[0]
    assert lines[1].startswith("1 entries, 0.0 MB in ")


def test_verify_fails_on_damage_and_says_what_to_type(
    root: Path, built: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "verify", "--cache-dir", str(root)]) == 0
    assert "1 of 1 entries in " in capsys.readouterr().out
    (built.directory / "scripted.json").write_text("{}")
    assert main(["cache", "verify", "--cache-dir", str(root)]) == 1
    assert "run: whisperq cache prune" in capsys.readouterr().out


def test_prune_says_what_it_removed(root: Path, built: Artifact, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "prune", "--cache-dir", str(root), "--older-than", "0"]) == 0
    assert "removed 1 entries" in capsys.readouterr().out
    assert not built.directory.exists()


@pytest.mark.parametrize(
    "arguments", [[], ["cache"], ["cash"], ["cache", "prune", "--older-than", "-1"], ["cache", "list", "--all"]]
)
def test_what_cannot_be_meant_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


@pytest.mark.parametrize("typed", ["", "  ", "nowhere-at-all"])
def test_a_directory_that_cannot_be_meant_is_an_error_and_never_the_platforms_cache(
    typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "prune", "--cache-dir", typed, "--older-than", "0"]) == 2
    assert capsys.readouterr().err.startswith(f"error: --cache-dir: {typed!r} is no directory; leave it out for")


def test_an_error_of_ours_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list", "--cache-dir", "~nobody-at-all/x"]) == 2
    assert capsys.readouterr().err.startswith("error: --whisperq-cache-dir: '~nobody-at-all/x' names the home of")


def test_random_checkpoints_are_listed_and_those_of_another_torch_are_pruned(root: Path) -> None:
    own, old, killed = (f"whisper-tiny{made_here()}", "whisper-tiny-0.1-0-1", f".build-whisper-tiny{made_here()}-x1")
    for name in (own, old, killed):
        (root / "random" / name).mkdir(parents=True)
        (root / "random" / name / "model.safetensors").write_bytes(b"12345")
    (root / "locks").mkdir()
    (root / "locks" / f"whisper-tiny{made_here()}.lock").touch()  # as whoever made it did
    found = {entry.path.name: (entry.size, entry.problem) for entry in cache.entries(root, verify=True)}
    assert found == {
        own: (5, ""),
        old: (5, "made by another version of torch or pytest-whisperq"),
        killed: (5, "left behind by a build that was killed"),
    }
    with FileLock(root / "locks" / f"{own.removeprefix('.build-')}.lock"):  # it is being made
        assert [entry.path.name for entry in cache.prune(root)] == [old]
    assert [entry.path.name for entry in cache.prune(root)] == [killed]
    assert [path.name for path in (root / "random").iterdir()] == [own]


def test_what_others_keep_in_folders_of_such_names_is_left_alone(tmp_path: Path) -> None:
    """A project is taken for a cache: its models and transcripts are not ours to call damaged."""
    theirs = [
        tmp_path / name
        for name in (
            *("artifacts/model_v1/model.bin", "transcripts/train.jsonl", "random/exp-1/x", "audio-index.jsonl"),
            *(f"artifacts/{uuid4().hex}/run.json", f"transcripts/{uuid4().hex}.jsonl"),
            *(f"artifacts/.build-{uuid4().hex}-1/x", "random/.build-whisper-tiny-1.0-1-1-x/x"),
        )
    ]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    for _ in range(2):  # what is looked at does not become ours by that
        assert list(cache.entries(tmp_path)) == []
        assert list(cache.prune(tmp_path, older_than=0)) == []
    assert all(path.read_text() == "theirs" for path in theirs)


def test_random_checkpoints_are_another_environments_where_torch_is_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whisper-tiny-9.9.9-0-1", "whisper-tiny-9.9.9-0-0"):
        (root / "random" / name).mkdir(parents=True)
    for module in ("cache", "random_weights"):
        monkeypatch.setattr(f"pytest_whisperq.models.{module}.versions", lambda names: dict.fromkeys(names, "absent"))
    assert [entry.path.name for entry in cache.prune(root)] == ["whisper-tiny-9.9.9-0-0"]  # of another recipe of ours
