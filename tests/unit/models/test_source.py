"""The identity of a source model, and what is refused as one."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from httpx import Request, Response
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from pytest_whisperq.models.source import ModelSpec, SourceModel, resolve_source
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import BuildError, unknown


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    directory = tmp_path / "checkpoint"
    directory.mkdir()
    (directory / "config.json").write_text("{}", encoding="utf-8")
    (directory / "model.safetensors").write_bytes(b"weights")
    (directory / "tokenizer.json").write_text("{}", encoding="utf-8")
    return directory


def test_a_directory_is_known_by_what_a_conversion_reads(checkpoint: Path) -> None:
    before = resolve_source(str(checkpoint))
    assert (before.name, before.directory) == (str(checkpoint), checkpoint)
    (checkpoint / "README.md").write_text("hello", encoding="utf-8")
    assert resolve_source(str(checkpoint)) == before
    for name, content in (("model.safetensors", b"others!"), ("config.json", b"[]"), ("merges.txt", b"a b")):
        (checkpoint / name).write_bytes(content)
        after = resolve_source(str(checkpoint))
        assert after.identity != before.identity
        before = after


def test_a_relative_directory_becomes_absolute(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """optimum-intel would ask the hub for it."""
    monkeypatch.chdir(checkpoint.parent)
    assert resolve_source("checkpoint").directory == checkpoint
    assert resolve_source("./checkpoint").identity == resolve_source(str(checkpoint)).identity


def test_weights_that_would_not_count_in_the_identity_are_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(BuildError, match="has no safetensors weights; convert them first"):
        resolve_source(str(checkpoint))


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=f"{tmp_path} is not a model directory: it has no config.json"):
        resolve_source(str(tmp_path))


@pytest.mark.parametrize("files", [(), ("vocab.json",), ("tokenizer_config.json", "added_tokens.json")])
def test_a_checkpoint_without_a_tokenizer_is_refused_by_the_names_of_its_files(
    checkpoint: Path, files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkpoint / "tokenizer.json").unlink()
    for name in files:
        (checkpoint / name).write_text("{}", encoding="utf-8")
    told = r"has no tokenizer: neither tokenizer\.json nor vocab\.json and merges\.txt; copy the files from"
    with pytest.raises(BuildError, match=f"{checkpoint} {told}"):
        resolve_source(str(checkpoint))
    monkeypatch.setattr("huggingface_hub.snapshot_download", Hub(checkpoint))
    with pytest.raises(BuildError, match=f"'openai/whisper-tiny' {told}"):
        resolve_source("openai/whisper-tiny")
    for name in ("vocab.json", "merges.txt"):
        (checkpoint / name).write_text("{}", encoding="utf-8")
    assert resolve_source(str(checkpoint)).directory == checkpoint


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint/model.safetensors", "./checkpoint/config.json"])
def test_a_file_is_no_hub_id_but_lies_in_the_directory_to_name(
    checkpoint: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkpoint.parent if "/" in name else checkpoint)
    folder = str(Path(name).parent)
    with pytest.raises(BuildError, match=f"^--whisperq-model: '{name}' is a file, .*; name '{folder}'$"):
        resolve_source(name)


@pytest.mark.parametrize("name", ["./missing", "missing", "a/b/c", "/missing/model", "~/missing"])
def test_what_is_no_directory_and_no_hub_id_is_refused_under_its_option(name: str) -> None:
    with pytest.raises(BuildError, match=r"^--whisperq-baseline: '.*' is neither a directory, a hub id"):
        resolve_source(name, "--whisperq-baseline")


class Hub:
    """Stands in for the download: holds one commit, or fails."""

    def __init__(self, folder: Path, error: Exception | None = None) -> None:
        self.folder, self.error, self.asked = folder, error, []

    def __call__(self, repository: str, **keywords: object) -> str:
        self.asked.append((repository, keywords["revision"]))
        if self.error:
            raise self.error
        return str(self.folder)


def test_a_hub_id_is_known_by_its_commit(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(checkpoint.rename(checkpoint.parent / "0123abc"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub)
    found = resolve_source("openai/whisper-tiny@v1")
    assert hub.asked == [("openai/whisper-tiny", "v1")]
    assert found.identity == "openai/whisper-tiny@0123abc"
    resolve_source("openai/whisper-tiny")
    assert hub.asked[1] == ("openai/whisper-tiny", None)
    (hub.folder / "model.safetensors").unlink()
    with pytest.raises(BuildError, match="--whisperq-model: 'openai/whisper-tiny' has no safetensors weights"):
        resolve_source("openai/whisper-tiny")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ConnectionError("404 Client Error.\nRequest ID: 1"), "404 Client Error"),
        (RuntimeError(), "RuntimeError"),
        (Exception("403 Forbidden"), "403 Forbidden"),  # what httpx raises for a proxy that refuses
    ],
)
def test_a_hub_that_cannot_provide_is_one_line_with_what_to_check(
    error: Exception, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", Hub(tmp_path, error))
    with pytest.raises(BuildError) as caught:
        resolve_source("openai/whisper-tinny")
    assert "--whisperq-model: no directory 'openai/whisper-tinny'" in str(caught.value)
    assert f"{shown}; check the spelling, the connection" in str(caught.value)
    assert "Request ID" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (GatedRepoError, "it is gated: ask for access at https://huggingface.co/meta/whisper, and set HF_TOKEN"),
        (RepositoryNotFoundError, "check the spelling; if it is private, set HF_TOKEN to an access token of yours"),
    ],
)
def test_who_may_not_read_a_repository_is_told_of_tokens(
    kind: type[HfHubHTTPError], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = Response(403, request=Request("GET", "https://huggingface.co/meta/whisper"))
    error = kind("403 Client Error. (Request ID: 1)\n\nCannot access gated repo", response=response)
    monkeypatch.setattr("huggingface_hub.snapshot_download", Hub(tmp_path, error))
    with pytest.raises(BuildError, match=f"403 Client Error.*; {told}"):
        resolve_source("meta/whisper@main")


def test_the_real_hub_library_refuses_in_our_words_when_it_may_not_download() -> None:
    """In a fresh interpreter: huggingface_hub loads its parts late, and some not at all until they are imported."""
    code = (
        "from pytest_whisperq.models.source import resolve_source\n"
        "from pytest_whisperq.system.errors import BuildError\n"
        "try:\n    resolve_source('nobody/nothing')\nexcept BuildError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.startswith("--whisperq-model: no directory 'nobody/nothing', and the hub could not provide it")


def test_the_embedded_model_is_found_by_name_and_missed_by_name(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = SimpleNamespace(path=checkpoint.parent)
    monkeypatch.setattr(package_data, "_root", lambda: root.path)
    with pytest.raises(BuildError, match=r"embedded model 'whisperq-micro' is missing from .*; reinstall"):
        resolve_source(package_data.MODEL)
    (root.path / "models").mkdir()
    checkpoint.rename(root.path / "models" / package_data.MODEL)
    assert resolve_source(package_data.MODEL).directory == root.path / "models" / package_data.MODEL


def test_a_spec_has_a_name() -> None:
    spec = ModelSpec(
        backend="openvino", precision="int4-sym", source=SourceModel(name="m", directory=Path(), identity="i")
    )
    assert str(spec) == "openvino:int4-sym"


def test_an_unknown_name_gets_a_hint_only_when_one_is_near() -> None:
    assert str(unknown("unknown gate", "partiy", ["parity", "accuracy"])) == (
        "unknown gate 'partiy' (did you mean 'parity'?); valid: accuracy, parity"
    )
    assert "did you mean 'int8-float16'?" in str(unknown("unknown precision", "INT8_FLOAT16", ["int8-float16", "fp8"]))
    assert "did you mean 'int8'?" in str(unknown("unknown precision", "INT8", ["int8", "int4-sym"]))
    assert str(unknown("unknown gate", "xyz", ["parity"])) == "unknown gate 'xyz'; valid: parity"
    assert str(unknown("unknown gate", "xyz", [])) == "unknown gate 'xyz'; valid: none"
