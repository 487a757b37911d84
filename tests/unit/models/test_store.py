"""The store of built models: built once, published whole, rebuilt when damaged, clear when the disk is full."""

import errno
import json
import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq import backends
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.models import store as artifacts
from pytest_whisperq.models.source import ModelSpec, SourceModel, resolve_source
from pytest_whisperq.models.store import ArtifactStore
from pytest_whisperq.system import files
from pytest_whisperq.system.errors import BuildError, MissingDependency, StoreError


def entry(tmp_path: Path, store: ArtifactStore, spec: ModelSpec) -> Path:
    return tmp_path / "cache" / "artifacts" / store.key(spec)


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache" / "artifacts").glob(".build-*"))


def test_a_model_is_built_once_however_often_asked_for(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec]
) -> None:
    first = store.get(spec)
    assert store.get(spec) == first
    assert ArtifactStore(tmp_path / "cache", builds.append, print).get(spec) == first
    assert builds == [spec]
    assert first.directory == entry(tmp_path, store, spec) / "model"
    assert first.size == (spec.source.directory / "scripted.json").stat().st_size
    assert not leftovers(tmp_path)


def test_the_address_depends_on_source_backend_precision_versions_and_processor(
    store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ModelSpec(backend="scripted", precision="float32", source=spec.source)
    (spec.source.directory / "scripted.json").write_text('{"int8": {"a": "b"}}', encoding="utf-8")
    changed = ModelSpec(backend="scripted", precision="int8", source=resolve_source(str(spec.source.directory)))
    keys = [store.key(spec), store.key(other), store.key(changed)]
    monkeypatch.setattr(artifacts, "versions", lambda names: {"toolkit": "2.0"})
    keys.append(store.key(spec))
    monkeypatch.setattr(artifacts, "cpu_features", lambda: "x86_64 avx2 avx512_vnni")
    keys.append(store.key(spec))
    assert len(set(keys)) == 5
    record = json.loads((store.get(spec).directory.parent / "artifact.json").read_text(encoding="utf-8"))
    assert record["cpu"] == "x86_64 avx2 avx512_vnni"


def test_a_model_with_blocks_in_float32_is_another_one(store: ArtifactStore, spec: ModelSpec) -> None:
    others = [replace(spec, ignored=ignored) for ignored in (("encoder.layers.0",), ("encoder.layers.1",))]
    assert len({store.key(one) for one in (spec, *others)}) == 3


def test_where_the_source_lies_does_not_matter(tmp_path: Path, store: ArtifactStore, spec: ModelSpec) -> None:
    shutil.copytree(spec.source.directory, tmp_path / "copy")
    copy = ModelSpec(backend="scripted", precision="int8", source=resolve_source(str(tmp_path / "copy")))
    assert store.key(copy) == store.key(spec)


def test_what_a_killed_build_left_behind_is_swept_and_never_used(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec]
) -> None:
    aside = tmp_path / "cache" / "artifacts" / f".build-{store.key(spec)}-killed"
    (aside / "model").mkdir(parents=True)
    (aside / "model" / "scripted.json").write_text('{"int8": {"half": "a mod', encoding="utf-8")
    foreign = tmp_path / "cache" / "artifacts" / ".build-of-another-model"
    foreign.mkdir()
    artifact = store.get(spec)
    assert builds == [spec]
    assert json.loads((artifact.directory / "scripted.json").read_text(encoding="utf-8")) == {"float32": {}, "int8": {}}
    assert leftovers(tmp_path) == [foreign]


@pytest.mark.parametrize("name", ["artifact.json", "model/scripted.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_cut_or_missing_file_means_building_again(
    tmp_path: Path,
    store: ArtifactStore,
    spec: ModelSpec,
    builds: list[ModelSpec],
    repairs: list[str],
    name: str,
    damage: str,
) -> None:
    first = store.get(spec)
    path = entry(tmp_path, store, spec) / name
    path.write_bytes(path.read_bytes()[:-5]) if damage == "cut" else path.unlink()
    again = store.get(spec)
    assert builds == [spec, spec]
    assert (again.identity, again.size) == (first.identity, first.size)
    assert store.intact(spec) == again
    assert repairs == ["scripted:int8 in the cache: its record or a file of it is damaged; built again"]


@pytest.mark.parametrize("record", ["null", "[]", "{}", '{"files": []}', '{"files": {"a": 1}}'])
def test_a_record_that_makes_no_sense_means_building_again(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec], record: str
) -> None:
    store.get(spec)
    (entry(tmp_path, store, spec) / "artifact.json").write_text(record, encoding="utf-8")
    store.get(spec)
    assert builds == [spec, spec]


@pytest.mark.parametrize("field", ["identity", "notes", "build_seconds", "files"])
def test_a_record_with_a_flipped_bit_means_building_again(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec], field: str
) -> None:
    """Reports show what it says, and transcripts are found by it."""
    store.get(spec)
    record = entry(tmp_path, store, spec) / "artifact.json"
    text = bytearray(record.read_bytes())
    text[text.index(f'"{field}": '.encode()) + len(field) + 5] ^= 1
    record.write_bytes(text)
    assert store.built(spec) is None
    store.get(spec)
    assert builds == [spec, spec]


def test_what_is_damaged_and_cannot_be_removed_is_never_run(
    store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = store.get(spec).directory / "scripted.json"
    weights.write_bytes(weights.read_bytes().replace(b"int8", b"int9"))

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(artifacts, "remove", refuse)
    with pytest.raises(StoreError, match="cache: Permission denied"):
        store.intact(spec)


def test_a_damaged_entry_that_is_a_link_is_built_anew_in_its_place(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec]
) -> None:
    weights = store.get(spec).directory / "scripted.json"
    sound = weights.read_bytes()
    place = entry(tmp_path, store, spec)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    weights.write_bytes(sound.replace(b"int8", b"int9"))
    assert (store.intact(spec).directory / "scripted.json").read_bytes() == sound
    assert builds == [spec, spec]


def test_weights_that_rotted_in_place_are_found_removed_and_rebuilt(
    store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec], repairs: list[str]
) -> None:
    artifact = store.get(spec)
    path = artifact.directory / "scripted.json"
    path.write_text(path.read_text(encoding="utf-8").replace("int8", "int9"), encoding="utf-8")  # same size
    again = store.intact(spec)
    assert "int9" not in (again.directory / "scripted.json").read_text(encoding="utf-8")
    assert builds == [spec, spec]
    assert repairs == ["scripted:int8 in the cache: its files are damaged; built again"]


def test_a_candidate_is_never_built_from_a_rotten_base(
    store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ScriptedBackend, "base", lambda self, precision: ("scripted", "float32") if precision == "int8" else None
    )
    float32 = ModelSpec(backend="scripted", precision="float32", source=spec.source)
    weights = store.get(float32).directory / "scripted.json"
    sound = weights.read_bytes()
    weights.write_bytes(sound.replace(b"int8", b"INT8"))
    assert (store.get(spec).directory / "scripted.json").read_bytes() == sound
    assert builds == [float32, float32, spec]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_backend_that_meets_a_full_disk_is_a_store_error(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, break_build: Any, code: int
) -> None:
    break_build.using(OSError(code, "no room"))
    with pytest.raises(StoreError, match=f"{tmp_path / 'cache'}: no room.*--whisperq-cache-dir"):
        store.get(spec)
    assert not leftovers(tmp_path)


def test_a_library_that_hides_a_full_disk_is_seen_through(
    store: ArtifactStore, spec: ModelSpec, break_build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_build.using(RuntimeError("bad serialization"))
    with pytest.raises(BuildError, match="bad serialization"):
        store.get(spec)
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(artifacts.shutil, "disk_usage", lambda path: usage._replace(free=4096))
    with pytest.raises(StoreError, match="No space left on device"):
        store.get(spec)


def test_a_read_only_cache_is_a_store_error(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(self: Path, *args: object, **keywords: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(StoreError, match=r"cannot write to the cache directory .*Read-only file system"):
        store.get(spec)


def test_a_disk_that_fills_while_publishing_leaves_no_entry(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.get(spec)
    assert not entry(tmp_path, store, spec).exists()
    assert not leftovers(tmp_path)
    store.intact(spec)
    assert builds == [spec, spec]


def test_an_entry_appears_by_one_rename_or_not_at_all(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Path, target: Path) -> None:
        assert (self / "artifact.json").is_file()
        assert not target.exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            store.get(spec)
    assert not entry(tmp_path, store, spec).exists()


def test_a_failed_build_names_pair_model_and_cause_and_leaves_nothing(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, break_build: Any
) -> None:
    break_build.using(KeyError("proj_out"))
    with pytest.raises(BuildError, match=r"scripted:int8: building it from .*/model failed: 'proj_out'"):
        store.get(spec)
    break_build.using(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        store.get(spec)
    assert not entry(tmp_path, store, spec).exists()
    assert not leftovers(tmp_path)


def test_a_build_without_weights_is_an_error(
    store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "build", lambda *args: None)
    with pytest.raises(BuildError, match=r"scripted:int8: building it wrote no weights \(scripted\.json\)"):
        store.get(spec)


def test_a_script_without_the_precision_says_so(store: ArtifactStore, spec: ModelSpec, tmp_path: Path) -> None:
    int4 = ModelSpec(backend="scripted", precision="int4-sym", source=spec.source)
    with pytest.raises(BuildError, match=r"scripted\.json: has no table of texts for precision 'int4-sym'"):
        store.get(int4)
    nowhere = SourceModel(name="x", directory=tmp_path, identity="x")
    with pytest.raises(BuildError, match=r"has no scripted\.json"):
        store.get(ModelSpec(backend="scripted", precision="int8", source=nowhere))


def test_a_missing_package_is_named_before_anything_is_built(
    store: ArtifactStore, spec: ModelSpec, builds: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedBackend, "modules", ("surely_not_installed",))
    monkeypatch.setattr(ScriptedBackend, "extra", "torch")
    with pytest.raises(MissingDependency, match=r'surely_not_installed.*pip install "pytest-whisperq\[torch\]"'):
        store.get(spec)
    assert builds == []
    named = {"ctranslate2", "faster-whisper", "onnxruntime", "openvino", "transformers", "whispercpp"}
    assert set(backends.in_all()) == named


def _build_in_a_process(root: Path, spec: ModelSpec, barrier: Any, built: Any) -> None:
    barrier.wait(60)
    artifact = ArtifactStore(root, lambda spec: built.put("build"), print).get(spec)
    built.put(artifact.identity)


def test_processes_that_ask_at_the_same_time_build_once(tmp_path: Path, spec: ModelSpec) -> None:
    context = multiprocessing.get_context("fork")
    barrier, built = context.Barrier(3), context.Queue()
    workers = [
        context.Process(target=_build_in_a_process, args=(tmp_path / "cache", spec, barrier, built)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    found = [built.get(timeout=60) for _ in range(4)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert built.empty()
    assert found.count("build") == 1
    assert len(set(found)) == 2


def test_what_a_build_has_to_say_is_kept_with_what_its_base_had(
    store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = ScriptedBackend.build

    def noted(self: ScriptedBackend, precision: str, *rest: Any) -> list[str]:
        build(self, precision, *rest)
        return [f"{precision} has a note"]

    monkeypatch.setattr(ScriptedBackend, "build", noted)
    monkeypatch.setattr(
        ScriptedBackend, "base", lambda self, precision: ("scripted", "float32") if precision == "int8" else None
    )
    assert store.get(spec).notes == ("float32 has a note", "int8 has a note")
    assert store.get(spec).notes == ("float32 has a note", "int8 has a note")  # read back


@pytest.mark.parametrize("answer", ["a sentence", Path("model"), [1]])
def test_a_build_that_returns_something_else_is_told_so(
    store: ArtifactStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    build = ScriptedBackend.build

    def returning(self: ScriptedBackend, *given: Any) -> object:
        build(self, *given)
        return answer

    monkeypatch.setattr(ScriptedBackend, "build", returning)
    with pytest.raises(BuildError, match=r"scripted:int8: what build returns must be a list of sentences, or None"):
        store.get(spec)
