"""What a folder or file is that somebody takes for a checkpoint, and what to do with it."""

import json
import shlex
from pathlib import Path

import pytest

from pytest_whisperq.models.kinds import kind_of
from pytest_whisperq.models.source import resolve_source
from pytest_whisperq.system.errors import BuildError


def adapter(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "openai/whisper-small"}))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def told(path: Path) -> tuple[str, str]:
    kind = kind_of(path)
    assert kind is not None
    return kind.what, kind.remedy


def test_an_adapter_is_to_be_merged_by_a_command_that_python_reads(tmp_path: Path) -> None:
    what, remedy = told(adapter(tmp_path / "my adapter's"))
    assert what == "a LoRA adapter of openai/whisper-small"
    program, flag, script = shlex.split(remedy.removeprefix("merge first: "))
    assert (program, flag) == ("python", "-c")
    compile(script, "remedy", "exec")
    for name in ("openai/whisper-small", f"{tmp_path}/my adapter's-merged"):
        assert repr(name) in script


def test_an_adapter_beside_weights_is_said_to_be_left_out(tmp_path: Path) -> None:
    (adapter(tmp_path) / "model.safetensors").write_bytes(b"")
    assert told(tmp_path)[0].endswith(", beside weights that would be judged without it")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("model.gguf", b"GGUF", "a GGUF file"),
        ("encoder_model.onnx", b"", "an ONNX model"),
        ("base.en.pt", b"PK", "weights as openai/whisper saves them"),
    ],
)
def test_formats_that_no_backend_runs_are_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert told(tmp_path / name)[0] == what
    with pytest.raises(BuildError, match=f"--whisperq-model: .* is {what}; "):
        resolve_source(str(tmp_path / name))


def test_what_a_backend_runs_is_a_candidate(tmp_path: Path) -> None:
    (tmp_path / "scripted.json").write_text('{"int8": {}}')
    assert told(tmp_path) == (
        "a model that scripted runs, in int8",
        f"gate it with --whisperq-candidate scripted@{tmp_path}, and name the checkpoint that it was made of",
    )


def test_a_checkpoint_is_none_of_these_whatever_lies_beside_it(tmp_path: Path) -> None:
    """A trainer leaves the state of its optimizer there."""
    for name in ("config.json", "model.safetensors", "optimizer.pt", "training_args.bin", "encoder_model.onnx"):
        (tmp_path / name).write_bytes(b"{}")
    assert kind_of(tmp_path) is None


def test_an_adapter_given_as_a_checkpoint_ends_in_the_command_that_merges_it(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"is a LoRA adapter of openai/whisper-small; merge first: python -c "):
        resolve_source(str(adapter(tmp_path)))
