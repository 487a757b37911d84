"""What backends say of devices; the libraries that are asked whether there is a GPU are doubles."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_whisperq.backends import RunsOnDevices, ctranslate2, devices, get_backend, names
from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.system import optional_imports

ABLE = ["ctranslate2", "faster-whisper", "faster-whisper-batched", "transformers"]
CONVERTED = ABLE[:3]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """CTranslate2 on a machine with one GPU, of the generation before bfloat16."""

    def supported(device: str) -> set[str]:
        assert device == "cuda"
        return {"float32", "float16", "int8", "int8_float32", "int8_float16"}

    double = SimpleNamespace(get_cuda_device_count=lambda: 1, get_supported_compute_types=supported)
    monkeypatch.setattr(ctranslate2, "_runtime", lambda: double)
    return double


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A torch with CUDA on a machine with a GPU."""
    double = SimpleNamespace(
        __version__="9.9+cu130",
        version=SimpleNamespace(cuda="13.0"),
        cuda=SimpleNamespace(is_available=lambda: True),
    )
    monkeypatch.setattr(optional_imports, "require", lambda *_, **__: double)
    return double


def test_four_backends_have_a_gpu_and_say_what_they_execute_there() -> None:
    assert devices.able("cuda") == ABLE
    assert devices.able("cpu") == list(names())
    for name in ABLE:
        backend = get_backend(name)
        assert isinstance(backend, RunsOnDevices)
        there = devices.precisions(backend, "cuda")
        assert {"float16", "bfloat16", "float32"} <= set(there)
        assert all(there[one] == backend.precisions[one] for one in there)
        assert devices.recommended(backend, "cuda") in there
        assert devices.precisions(backend, "cpu") is backend.precisions
    for name in CONVERTED:
        assert devices.precisions(get_backend(name), "cuda")["int8-float16"] == "int8_float16"
        assert "int16" not in devices.precisions(get_backend(name), "cuda")  # no GPU multiplies it


def test_a_backend_without_a_device_has_no_precision_there() -> None:
    backend = get_backend("openvino")
    assert not devices.precisions(backend, "cuda")
    assert devices.recommended(backend, "cpu") == "int8-ptq"
    with pytest.raises(ValueError, match="openvino does not compute on cuda"):
        devices.load(backend, "cuda", "float32", Path("nowhere"), 1)


@pytest.mark.parametrize("name", CONVERTED)
def test_ctranslate2_counts_gpus(runtime: SimpleNamespace, name: str) -> None:
    backend = get_backend(name)
    assert devices.lacking(backend, "cuda") == ""
    runtime.get_cuda_device_count = lambda: 0
    assert "ctranslate2 finds no GPU for cuda; it needs NVIDIA's driver" in devices.lacking(backend, "cuda")
    assert devices.lacking(backend, "cpu") == ""


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("name", CONVERTED)
def test_what_a_gpu_does_not_multiply_is_left_out_of_all(name: str) -> None:
    assert devices.falls_back(get_backend(name), "cuda") == {
        "int8-bfloat16": "ctranslate2 has no int8_bfloat16 arithmetic for this GPU",
        "bfloat16": "ctranslate2 has no bfloat16 arithmetic for this GPU",
    }


def test_torch_says_whether_it_is_built_for_a_gpu_and_finds_one(torch: SimpleNamespace) -> None:
    backend = get_backend("transformers")
    assert devices.lacking(backend, "cuda") == ""
    assert devices.falls_back(backend, "cuda") == {}
    torch.cuda.is_available = lambda: False
    assert devices.lacking(backend, "cuda").startswith("torch finds no GPU for cuda; it needs NVIDIA's driver for CUDA")
    torch.version.cuda = None
    assert devices.lacking(backend, "cuda").startswith("torch 9.9+cu130 is built without CUDA; install one with it")


def test_a_model_is_loaded_where_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*place: str) -> Callable[..., Any]:
        return lambda self, *arguments: (*place, *arguments)

    backend = ScriptedBackend()
    monkeypatch.setattr(ScriptedBackend, "load", told("load"))
    for name in ("on_device", "lacks", "falls_back_on", "load_on"):
        monkeypatch.setattr(ScriptedBackend, name, told(name), raising=False)
    assert devices.load(backend, "cpu", "int8", Path("x"), 2) == ("load", "int8", Path("x"), 2)  # type: ignore[comparison-overlap]
    assert devices.load(backend, "cuda", "int8", Path("x"), 2) == ("load_on", "cuda", "int8", Path("x"), 2)  # type: ignore[comparison-overlap]
