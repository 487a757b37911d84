"""A build that will not fit into memory is foreseen: from what the headers of the weights say, before it begins."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq import session as sessions
from pytest_whisperq.backends import get_backend, names
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.models.room import LIBRARIES, build_bytes, shortages, weight_bytes
from pytest_whisperq.models.source import ModelSpec, SourceModel
from pytest_whisperq.system import package_data

GB = 10**9


def write_weights(path: Path, shapes: dict[str, list[int]], dtype: str = "F16") -> None:
    """Write a file of safetensors that has no more than its header."""
    entries: dict[str, Any] = {name: {"dtype": dtype, "shape": shape} for name, shape in shapes.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


@pytest.fixture
def large(tmp_path: Path) -> ModelSpec:
    """A checkpoint of six billion bytes in float32, in two files."""
    directory = tmp_path / "large"
    directory.mkdir()
    write_weights(directory / "model-00001-of-00002.safetensors", {"encoder": [1000, 1000, 1000]})
    write_weights(directory / "model-00002-of-00002.safetensors", {"decoder": [500, 1000, 1000], "scale": []})
    source = SourceModel(name="ours/calls-large", directory=directory, identity="1")
    return ModelSpec(backend="ctranslate2", precision="int8", source=source)


def test_weights_count_as_float32_however_they_are_stored(large: ModelSpec) -> None:
    assert weight_bytes(large.source.directory) == 6 * GB + 4
    micro = package_data.model_directory("whisperq-micro")  # stored in float16
    assert weight_bytes(micro) == pytest.approx(2 * (micro / "model.safetensors").stat().st_size, rel=0.02)


def test_one_file_of_weights_is_all_there_is_to_read(large: ModelSpec) -> None:
    """As transformers does, whatever else lies beside it."""
    write_weights(large.source.directory / "model.safetensors", {"all": [10]})
    assert weight_bytes(large.source.directory) == 40


@pytest.mark.parametrize("content", [b"", b"\x05\0\0\0\0\0\0\0{", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]"])
def test_a_header_that_cannot_be_read_says_nothing_and_is_no_error_here(large: ModelSpec, content: bytes) -> None:
    (large.source.directory / "model.safetensors").write_bytes(content)
    assert weight_bytes(large.source.directory) is None
    assert shortages([large], 1) == []


def test_the_warning_names_the_checkpoint_what_it_takes_what_there_is_and_what_to_do(large: ModelSpec) -> None:
    needed = build_bytes(large)
    assert needed is not None
    assert needed - LIBRARIES == round(get_backend("ctranslate2").build_memory["int8"] * (6 * GB + 4))
    (line,) = shortages([large], 5 * GB)
    for part in ("ours/calls-large", "6.0 GB of weights", f"ctranslate2:int8 about {needed / GB:.1f} GB", "5.0 GB are"):
        assert part in line
    assert "End other programs" in line


def test_models_of_one_checkpoint_share_a_line_the_largest_first(large: ModelSpec) -> None:
    ptq = ModelSpec(backend="openvino", precision="int8-ptq", source=large.source)
    (line,) = shortages([large, ptq], GB)
    assert 0 < line.index("openvino:int8-ptq about") < line.index("ctranslate2:int8 about")


def test_nothing_is_said_where_it_fits_or_nobody_knows(large: ModelSpec) -> None:
    needed = build_bytes(large)
    assert needed is not None
    assert shortages([large], needed) == []
    assert shortages([large], None) == []
    scripted = ModelSpec(backend="scripted", precision="int8", source=large.source)
    assert shortages([scripted], 1) == []


LINKED = {"faster-whisper", "faster-whisper-batched", "openvino-genai", "scripted"}
"""Backends that build nothing: they have the files of another one."""


def test_every_runtime_that_builds_says_what_its_builds_take() -> None:
    for name in names():
        backend = get_backend(name)
        assert set(backend.build_memory) <= set(backend.precisions), name
        assert bool(backend.build_memory) == (name not in LINKED), name
        assert name in LINKED or {backend.original, backend.recommended} <= set(backend.build_memory), name
        assert all(factor > 0 for factor in backend.build_memory.values()), name


def test_a_run_warns_before_it_builds_and_no_more_once_the_model_is_there(
    start_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start_run().session
    write_weights(tmp_path / "model" / "model.safetensors", {"all": [1000, 1000, 1000]})
    monkeypatch.setattr(ScriptedBackend, "build_memory", {"int8": 2.0})
    monkeypatch.setattr(sessions, "available_memory", lambda: 8 * GB)
    (line,) = session.shortages
    assert "scripted:int8 about 9.0 GB" in line
    assert "float32" not in line.replace("in float32", "")
    monkeypatch.setattr(sessions, "available_memory", lambda: 9 * GB)
    assert session.shortages == []
    monkeypatch.setattr(sessions, "available_memory", lambda: 8 * GB)
    session.model(session.config.candidates[0]).artifact.directory.stat()
    assert session.shortages == []
