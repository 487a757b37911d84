"""Models that somebody else converted: linked as they lie, known by their files, of the run's own checkpoint."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_whisperq.backends import ReadyMade
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.models import cache
from pytest_whisperq.models.ready_made import find, folder_of, names_folder
from pytest_whisperq.models.source import Folder, ModelSpec
from pytest_whisperq.models.store import ArtifactStore
from pytest_whisperq.system.errors import BuildError, DecodeError

OPTION = "--whisperq-candidate"


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    folder = tmp_path / "calls-v3"
    folder.mkdir()
    (folder / "scripted.json").write_text('{"int8": {"digest": "text"}}')
    (folder / "README.md").write_text("ours")
    return folder


def ready(spec: ModelSpec, folder: Path) -> ModelSpec:
    return replace(spec, folder=folder_of(ScriptedBackend(), spec.precision, str(folder), OPTION))


def test_the_cache_holds_links_to_what_belongs_to_the_model_and_nothing_else(
    store: ArtifactStore, spec: ModelSpec, deployed: Path, builds: list[ModelSpec]
) -> None:
    artifact = store.get(ready(spec, deployed))
    (path,) = artifact.directory.iterdir()
    assert path.readlink() == deployed / "scripted.json"
    assert artifact.size == (deployed / "scripted.json").stat().st_size
    assert artifact.build_seconds is None
    assert artifact.notes == ()
    assert not builds
    assert str(artifact.spec) == "scripted:int8@calls-v3"


def test_a_file_that_changes_makes_another_model(store: ArtifactStore, spec: ModelSpec, deployed: Path) -> None:
    before = ready(spec, deployed)
    first = store.get(before)
    (deployed / "README.md").write_text("edited")
    assert ready(spec, deployed) == before
    (deployed / "scripted.json").write_text('{"int8": {"digest": "TEXT"}}')
    after = store.get(ready(spec, deployed))
    assert {first.key, first.identity}.isdisjoint({after.key, after.identity})
    assert store.get(spec).key not in (first.key, after.key)


def test_a_file_that_changes_while_a_run_goes_on_ends_it(
    store: ArtifactStore, spec: ModelSpec, deployed: Path, repairs: list[str]
) -> None:
    model = ready(spec, deployed)
    store.get(model)
    (deployed / "scripted.json").write_text('{"int8": {"digest": "TEXT"}}')
    with pytest.raises(BuildError, match=f"scripted:int8@calls-v3: {deployed} has changed since the run began"):
        store.intact(model)


class Sized(ScriptedBackend):
    """Knows how many bands the model hears, and that it lacks all that transcribing needs."""

    lacks: tuple[str, ...] = ()

    def look(self, directory: Path) -> ReadyMade | None:
        found = super().look(directory)
        return replace(found, sizes={"num_mel_bins": 80, "vocab_size": 30}, lacks=self.lacks) if found else None


@pytest.fixture
def sized(monkeypatch: pytest.MonkeyPatch) -> type[Sized]:
    monkeypatch.setattr("pytest_whisperq.models.ready_made.get_backend", lambda name: Sized())
    return Sized


@pytest.mark.usefixtures("sized")
def test_a_model_that_was_made_of_another_checkpoint_is_refused(
    store: ArtifactStore, spec: ModelSpec, deployed: Path
) -> None:
    config = spec.source.directory / "config.json"
    config.write_text(json.dumps({"num_mel_bins": 128, "vocab_size": 30, "d_model": 8}))
    with pytest.raises(BuildError, match=r"calls-v3: it was not made of .*model: num_mel_bins 80 for 128; name the"):
        store.get(ready(spec, deployed))
    config.write_text(json.dumps({"num_mel_bins": 80, "vocab_size": 30, "d_model": 8}))
    store.get(ready(spec, deployed))


def test_what_it_lacks_is_lent_by_the_checkpoint_and_named(
    store: ArtifactStore, spec: ModelSpec, deployed: Path, sized: type[Sized], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sized, "lacks", ("preprocessor_config.json", "generation_config.json"))
    for name in ("preprocessor_config.json", "tokenizer.json", "generation_config.json"):
        (spec.source.directory / name).write_text("{}")
    artifact = store.get(ready(spec, deployed))
    (note,) = artifact.notes
    assert note == (
        "not in calls-v3, and taken from the checkpoint (--whisperq-model): generation_config.json, "
        "preprocessor_config.json"
    )
    lent = {path.name for path in artifact.directory.iterdir() if not path.is_symlink()}
    assert lent == {"preprocessor_config.json", "generation_config.json"}


def test_what_goes_wrong_while_it_is_loaded_names_the_folder_and_what_to_do(tmp_path: Path) -> None:
    folder = Folder(name="calls-v3", directory=tmp_path, executes="int8", is_asked=True, identity="")
    with pytest.raises(BuildError) as caught, names_folder(folder):
        raise RuntimeError("Exception from core.cpp:84:\nIncorrect weights in bin file!\n")
    assert str(caught.value) == (
        f"{tmp_path}: the model cannot be loaded (Exception from core.cpp:84: Incorrect weights in bin file!); copy or "
        "convert all of its files again, unless that says what else to do"
    )
    with pytest.raises(DecodeError, match=f"^{tmp_path}: clip: no; help$"), names_folder(folder):
        raise DecodeError("no", where="clip", remedy="help")
    with pytest.raises(RuntimeError, match=r"^as it is$"), names_folder(None):
        raise RuntimeError("as it is")


def test_a_hub_id_is_downloaded_with_the_files_that_such_a_model_has(
    deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def download(repository: str, **keywords: object) -> str:
        asked.append((repository, keywords))
        return str(deployed)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    found = find(ScriptedBackend(), "owner/calls-v3@v1", OPTION)
    assert found.directory == deployed
    patterns = ["*.json", "*.txt", "*.xml", "scripted.json"]
    assert asked == [("owner/calls-v3", {"revision": "v1", "allow_patterns": patterns})]


def test_the_cache_counts_links_as_such_and_knows_a_folder_that_has_gone(
    tmp_path: Path, store: ArtifactStore, spec: ModelSpec, deployed: Path
) -> None:
    (deployed / "scripted.json").write_text('{"int8": {' + " " * 10_000_000 + "}}")
    store.get(ready(spec, deployed))
    (entry,) = cache.entries(tmp_path / "cache", verify=True)
    assert entry.name.startswith("scripted:int8@calls-v3 of ")
    assert entry.size < 10_000
    assert not entry.problem
    (deployed / "scripted.json").unlink()
    (entry,) = cache.entries(tmp_path / "cache", verify=True)
    assert entry.problem == "the folder it links to has changed, or is gone"
    assert not entry.is_damaged
