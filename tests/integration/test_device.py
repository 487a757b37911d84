"""Where tensors and models go on a real runtime: onto the device they are told, which doubles stand for.

No GPU is needed. PyTorch's ``meta`` is a device that is not the CPU and computes nothing. CTranslate2 runs on the CPU
behind a runtime that says it does not.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pytest_whisperq.backends import Clip, _generate, get_backend, transformers
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models.store import Artifact
from pytest_whisperq.speech import audio
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import DecodeError

GateRun = Callable[..., GateRunner]


def built(gate_run: GateRun, candidate: str) -> tuple[Artifact, list[Clip]]:
    run = gate_run(candidate=candidate)
    clips = [Clip(samples=audio.load(item.audio), language=item.language) for item in run.session.corpus.speech[:3]]
    return run.session.store.get(run.session.spec(run.config.candidates[0])), clips


@pytest.fixture
def claiming(monkeypatch: pytest.MonkeyPatch) -> type:
    """Have CTranslate2's models say that they are on the device they were asked for, and run on the CPU."""
    import ctranslate2 as library

    real = library.models.Whisper

    class Claims:
        def __init__(self, directory: str, *, device: str, **options: Any) -> None:
            self.device, self.device_index = device, [0]
            self.batches: list[int] = []
            self._model = real(directory, device="cpu", **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._model, name)

        def encode(self, features: Any, **options: Any) -> Any:
            self.batches.append(features.shape[0])
            return self._model.encode(features, **options)

    monkeypatch.setattr(library.models, "Whisper", Claims)
    return Claims


@pytest.mark.parametrize(
    ("name", "precision", "executes", "batches"),
    [
        ("ctranslate2", "int8", "int8_float32", [3]),  # what a GPU encoded, numpy could not join
        ("faster-whisper", "float32", "float32", [1, 1, 1]),
    ],
)
def test_converted_models_go_where_they_are_told_and_say_where_that_is(
    gate_run: GateRun, request: pytest.FixtureRequest, name: str, precision: str, executes: str, batches: list[int]
) -> None:
    artifact, clips = built(gate_run, f"{name}:{precision}")
    backend: Any = get_backend(name)
    plain = backend.load(precision, artifact.directory, 1)
    assert (plain.compute_type, plain.device) == (executes, "cpu")
    expected = plain.transcribe(clips)
    request.getfixturevalue("claiming")
    model = backend.load_on("cuda", precision, artifact.directory, 1)
    assert (model.compute_type, model.device) == (executes, "cuda")
    assert model.transcribe(clips) == expected
    inner = model._model if name == "ctranslate2" else model._model.model
    assert inner.batches == batches


def test_the_batched_pipeline_says_what_its_model_does(gate_run: GateRun, claiming: type) -> None:
    artifact, _ = built(gate_run, "faster-whisper-batched:float32")
    backend: Any = get_backend("faster-whisper-batched")
    model = backend.load_on("cuda", "float32", artifact.directory, 1)
    assert (model.compute_type, model.device) == ("float32", "cuda")


def test_features_go_to_the_model() -> None:
    features = np.zeros((1, 80, 3000), np.float32)
    there = _generate.placed(SimpleNamespace(device=torch.device("meta"), dtype=torch.float16), features)
    assert (there.device.type, there.dtype) == ("meta", torch.float16)
    assert _generate.placed(object(), features).device.type == "cpu"  # of a model that says nothing


def test_torch_models_are_moved_and_say_where_they_are(gate_run: GateRun) -> None:
    artifact, _ = built(gate_run, "transformers:float16")
    backend = transformers.TransformersBackend()
    assert backend.load("float16", artifact.directory, 1).device == "cpu"
    model = backend.load_on("meta", "float16", artifact.directory, 1)
    assert (model.compute_type, model.device) == ("float16", "meta")
    model._model.model.decoder.to_empty(device="cpu")
    assert transformers._device(model._model) == "cpu + meta"


@pytest.fixture(autouse=True)
def meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transformers take ``meta`` for a device."""
    there = {"cuda": transformers.TransformersBackend.on_device["cuda"], "meta": ("float16",)}
    monkeypatch.setattr(transformers.TransformersBackend, "on_device", there)


@pytest.mark.parametrize("precision", ["int8-dynamic", "int8-weight", "sim-int4"])
def test_what_has_kernels_for_the_cpu_alone_is_not_loaded_elsewhere(tmp_path: Path, precision: str) -> None:
    with pytest.raises(DecodeError, match=f"transformers:{precision} has no way to compute on cuda"):
        transformers.TransformersBackend().load_on("cuda", precision, tmp_path, 1)


def test_float32_is_no_tf32_on_a_gpu() -> None:
    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [one.allow_tf32 for one in switches]
    try:
        for one in switches:
            one.allow_tf32 = True
        transformers._refuse_tf32()
        assert not any(one.allow_tf32 for one in switches)
    finally:
        for one, allowed in zip(switches, before, strict=True):
            one.allow_tf32 = allowed


def test_a_torch_that_insists_on_tf32_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Insists:
        allow_tf32 = property(lambda self: True, lambda self, wanted: None)

    monkeypatch.setattr(torch.backends.cuda, "matmul", Insists())
    with pytest.raises(DecodeError, match=r"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE: PyTorch computes float32 in TF32"):
        transformers._refuse_tf32()


@pytest.mark.parametrize(("device", "waits"), [("cuda", 1), ("cpu", 0)])
def test_an_encoder_that_is_timed_is_waited_for(monkeypatch: pytest.MonkeyPatch, device: str, waits: int) -> None:
    class Output(dict[str, Any]):
        last_hidden_state = torch.zeros(1)

    done: list[str] = []
    window = SimpleNamespace(device=SimpleNamespace(type=device))
    monkeypatch.setattr(_generate, "placed", lambda *_: window)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: done.append("waited"))

    def encoder(*, input_features: Any) -> Output:
        assert input_features is window
        done.append("asked")
        return Output()

    stages = _generate.Stages()
    stages._model = SimpleNamespace(get_encoder=lambda: encoder)
    stages.encode(np.zeros(1, np.float32))
    assert done == ["asked", *["waited"] * waits]


def test_a_chunked_pipeline_leaves_the_model_where_it_is(gate_run: GateRun, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact, (clip, *_) = built(gate_run, "transformers:float32")
    model: Any = transformers.TransformersBackend().load("float32", artifact.directory, 1)
    told: dict[str, Any] = {}

    def pipeline(*_: Any, **options: Any) -> Callable[..., dict[str, str]]:
        told.update(options)
        return lambda *_, **__: {"text": "heard"}

    monkeypatch.setattr(optional_imports, "require_attribute", lambda *_, **__: pipeline)
    assert model.transcribe_chunked(clip.samples, clip.language) == "heard"
    assert told["device"] == torch.device("cpu")
