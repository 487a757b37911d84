"""What runs on a node: the same model, or a refusal; errors and texts as plain values."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_whisperq.backends import get_backend
from pytest_whisperq.decoding import actor as actors
from pytest_whisperq.decoding.actor import DecodingActor, Request, request_for, told, value_of
from pytest_whisperq.decoding.ray_engine import _foreign
from pytest_whisperq.models.delivery import pieces_of
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.models.store import Artifact, ArtifactStore
from pytest_whisperq.speech import audio
from pytest_whisperq.system.errors import CorpusError, DecodeError, MissingDependency

SAMPLES = np.linspace(-0.5, 0.5, 1600, dtype=np.float32)


@pytest.fixture
def built(tmp_path: Path, spec: ModelSpec, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> Artifact:
    """A scripted model that knows one clip, and a cache of its own for who receives it."""
    said = {audio.pcm_digest(SAMPLES): ["one two", "en"]}
    (spec.source.directory / "scripted.json").write_text(json.dumps({"int8": said}), encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "node"))
    return store.get(spec)


@pytest.fixture
def request_(built: Artifact, store: ArtifactStore) -> Request:
    return request_for(get_backend("scripted"), "int8", 1, built.directory, store.record(built))


def no_piece(piece: Any) -> bytes:
    raise AssertionError("nothing has to be sent")


def elsewhere(request: Request) -> Request:
    """The same request, of a machine whose folders are not seen."""
    return Request(**{**request, "directory": "/nowhere/model"})  # type: ignore[typeddict-item]


def sent(artifact: Artifact, request: Request) -> list[tuple[str, list[bytes]]]:
    return [(name, list(pieces)) for name, pieces in pieces_of(artifact, request["record"])]


def test_an_actor_loads_once_and_decodes(request_: Request) -> None:
    actor = DecodingActor(no_piece)
    assert value_of(actor.open(request_, None)) == {"compute_type": "int8", "device": "cpu", "operations": ""}
    said = value_of(actor.transcribe([SAMPLES, SAMPLES], ["en", None], "transcribe"))
    assert said == [("one two", (0, 1), "en")] * 2


def test_a_machine_that_differs_loads_nothing(request_: Request, spec: ModelSpec, monkeypatch: Any) -> None:
    monkeypatch.setattr(actors, "cpu_features", lambda: "x86_64 AMD avx2")
    there = value_of(DecodingActor(no_piece).open(request_, None))
    assert list(there) == ["identity"]
    error = str(_foreign(spec, "10.0.0.7 (1a2b3c4d)", there["identity"], request_["identity"]))
    assert "10.0.0.7 (1a2b3c4d) would transcribe scripted:int8 otherwise than this machine" in error
    assert "the processor is 'x86_64 AMD avx2' there, and '" in error


def test_a_model_that_is_not_seen_is_received_once(
    tmp_path: Path, built: Artifact, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = elsewhere(request_)
    first = DecodingActor(lambda piece: piece)
    assert value_of(first.open(request, None)) == {"lacks": True}
    assert value_of(first.open(request, sent(built, request)))["compute_type"] == "int8"
    assert value_of(first.transcribe([SAMPLES], ["en"], "transcribe"))[0][0] == "one two"
    (entry,) = (tmp_path / "node" / "pytest-whisperq" / "artifacts").iterdir()
    assert (entry / "model" / "scripted.json").read_bytes() == (built.directory / "scripted.json").read_bytes()
    assert value_of(DecodingActor(no_piece).open(request, None))["compute_type"] == "int8"  # the next one finds it
    (entry / "model" / "scripted.json").write_text("{}", encoding="utf-8")
    assert value_of(DecodingActor(no_piece).open(request, None)) == {"lacks": True}  # damaged: sent again


def shorter(content: bytes) -> bytes:
    return content[:-1]


def of_equal_size(content: bytes) -> bytes:
    return content.replace(b"one two", b"six two")


@pytest.mark.parametrize("change", [shorter, of_equal_size])
def test_a_file_that_was_changed_where_it_was_built_is_not_run(
    built: Artifact, request_: Request, change: Callable[[bytes], bytes]
) -> None:
    path = built.directory / "scripted.json"
    path.write_bytes(change(path.read_bytes()))
    assert value_of(DecodingActor(no_piece).open(request_, None)) == {"lacks": True}


@pytest.mark.parametrize("change", [shorter, of_equal_size])
def test_pieces_that_are_not_those_of_the_record_are_refused(
    built: Artifact, request_: Request, change: Callable[[bytes], bytes]
) -> None:
    files = [(name, [change(b"".join(pieces))]) for name, pieces in sent(built, request_)]
    with pytest.raises(actors.errors.StoreError, match="arrived damaged"):
        value_of(DecodingActor(lambda piece: piece).open(elsewhere(request_), files))


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped", "..\\escaped", "C:escaped", ""])
def test_a_file_that_leads_out_of_its_folder_is_refused(tmp_path: Path, request_: Request, name: str) -> None:
    request = elsewhere(request_)
    request["record"] = {**request["record"], "files": {name: [1, "0" * 64]}}
    with pytest.raises(actors.errors.StoreError, match="leads out of its folder"):
        value_of(DecodingActor(lambda piece: piece).open(request, [(name, [b"x"])]))
    assert not list(tmp_path.rglob("escaped"))


def raising(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def test_errors_travel_as_values() -> None:
    answer = json.loads(json.dumps(told(raising(CorpusError("is empty", where="a.wav", remedy="record it")))))
    with pytest.raises(CorpusError, match=r"^a\.wav: is empty; record it$"):
        value_of(answer)
    with pytest.raises(RuntimeError, match=r"^bad allocation$"):
        value_of(told(raising(ValueError("bad allocation"))))
    with pytest.raises(RuntimeError, match=r"^KeyboardInterrupt$"):
        value_of(("failed", ["__builtins__", "", "KeyboardInterrupt", ""]))  # a name that is no error of ours


def test_a_clip_that_cannot_be_decoded_is_an_error_of_the_model(request_: Request) -> None:
    actor = DecodingActor(no_piece)
    actor.open(request_, None)
    with pytest.raises(DecodeError, match="the script has no text for this clip"):
        value_of(actor.transcribe([SAMPLES[:800]], ["en"], "transcribe"))


def test_a_backend_of_a_conftest_is_imported_from_its_file(tmp_path: Path, request_: Request) -> None:
    text = (
        "from pytest_whisperq.backends.scripted import ScriptedBackend as Its\n\nclass Mine(Its):\n    name = 'mine'\n"
    )
    source = tmp_path / "conftest.py"
    source.write_text(text, encoding="utf-8")
    request = Request(
        **{**request_, "backend": "mine", "source": str(source), "module": "conftest", "qualified": "Mine"}
    )  # type: ignore[typeddict-item]
    backend = actors.in_file("mine", source, "conftest", "Mine")
    request["identity"] = actors.identity_of(backend, request["precision"])
    assert value_of(DecodingActor(no_piece).open(request, None))["compute_type"] == "int8"
    source.write_text(text + "    # edited\n", encoding="utf-8")
    assert "identity" in value_of(DecodingActor(no_piece).open(request, None))
    source.unlink()
    with pytest.raises(MissingDependency, match=r"backend 'mine' is written in .*conftest.py, which is not there"):
        value_of(DecodingActor(no_piece).open(request, None))
