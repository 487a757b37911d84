"""What `whisperq inspect` says of a folder: what it is, what it runs as here, what it lacks, how it is gated."""

import json
from pathlib import Path

import pytest

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.system import package_data


def inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["inspect", str(path)]) == 0
    return capsys.readouterr().out


def test_a_converted_model_is_told_with_what_it_runs_as_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scripted.json").write_text('{"int8": {}, "float32": {}}')
    monkeypatch.setattr(ScriptedBackend, "falls_back", lambda self: {"int8": "there is none here"})
    assert inspected(tmp_path, capsys).splitlines() == [
        f"{tmp_path}: a model that scripted runs, stored in int8, 0.0 MB",
        "  runs here as float32 (float32); not as int8",
        f"  there is none here: it falls back, unless another precision is named: scripted:float32@{tmp_path}",
        f"  gate it: pytest --whisperq-candidate scripted@{tmp_path} --whisperq-model THE_CHECKPOINT_IT_WAS_MADE_OF",
    ]


def test_a_checkpoint_is_told_with_its_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    folder = package_data.model_directory()
    config = json.loads((folder / "config.json").read_text())
    first, second = inspected(folder, capsys).splitlines()
    assert first == (
        f"{folder}: a checkpoint; width {config['d_model']}, {config['encoder_layers']} encoder layers, "
        f"{config['decoder_layers']} decoder layers, {config['num_mel_bins']} mel bands, {config['vocab_size']} tokens"
    )
    assert second.endswith(f"--whisperq-backend openvino --whisperq-model {folder}")


def test_what_no_backend_runs_is_told_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "openai/whisper-small"}')
    first, second = inspected(tmp_path, capsys).splitlines()
    assert first == f"{tmp_path}: a LoRA adapter of openai/whisper-small"
    assert second.startswith("  merge first: python -c ")


def test_what_is_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, told in ((tmp_path / "none", "is not there; correct the name"), (tmp_path, "it has no config.json")):
        assert main(["inspect", str(path)]) == 2
        assert told in capsys.readouterr().err
