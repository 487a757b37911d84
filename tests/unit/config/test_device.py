"""--whisperq-device: which pairs exist on a GPU, and what becomes of them on a machine without one."""

import pytest

from pytest_whisperq.backends import Backend
from pytest_whisperq.backends.ctranslate2 import OnGPU
from pytest_whisperq.backends.transformers import TransformersBackend
from pytest_whisperq.config import candidates
from pytest_whisperq.config.settings import GateConfig, resolve
from pytest_whisperq.system.errors import ConfigError

NONE = "there is no GPU here"


@pytest.fixture(autouse=True)
def gpus(monkeypatch: pytest.MonkeyPatch) -> set[type]:
    """Decide which libraries find a GPU, wherever the tests run; all packages are installed."""
    able: set[type] = {OnGPU, TransformersBackend}

    def install(backend: Backend, precision: str = "") -> None:
        pass

    monkeypatch.setattr(candidates, "check_installed", install)
    for kind in (OnGPU, TransformersBackend):
        monkeypatch.setattr(kind, "lacks", lambda self, device, kind=kind: "" if kind in able else NONE)
    monkeypatch.setattr(OnGPU, "falls_back_on", lambda self, device: {"bfloat16": "this GPU has no bfloat16"})
    return able


def on_gpu(**typed: str) -> GateConfig:
    return resolve({f"whisperq_{key}": value for key, value in {"device": "cuda", **typed}.items()})


def test_candidates_and_baseline_are_on_the_device_and_say_so() -> None:
    found = on_gpu(backend="ctranslate2,transformers")
    assert [str(one) for one in found.candidates] == [
        *("ctranslate2:int8-float16 on cuda", "transformers:float16 on cuda")
    ]
    assert [one.id for one in found.candidates] == ["ctranslate2-int8-float16-cuda", "transformers-float16-cuda"]
    assert str(found.baseline) == "transformers:float32 on cuda"
    assert found.candidates != on_gpu(backend="ctranslate2,transformers", device="cpu").candidates


def test_the_cpu_is_the_default_and_is_part_of_no_name() -> None:
    found = resolve({"whisperq_backend": "ctranslate2"})
    assert found.device == found.baseline.device == "cpu"
    assert [(str(one), one.id) for one in found.candidates] == [("ctranslate2:int8", "ctranslate2-int8")]
    assert found.gpu == ""


def test_all_precisions_are_those_of_the_gpu() -> None:
    found = on_gpu(backend="faster-whisper", precision="all")
    assert [one.precision for one in found.candidates] == [
        *("int8-float16", "int8-bfloat16", "int8", "int8-float32", "float16", "float32")
    ]
    assert found.left_out == ("faster-whisper:bfloat16: this GPU has no bfloat16",)


def test_a_cross_product_says_what_a_backend_lacks_on_a_gpu() -> None:
    found = on_gpu(backend="ctranslate2,transformers", precision="int8,float16")
    assert [str(one) for one in found.candidates] == [
        *("ctranslate2:int8 on cuda", "ctranslate2:float16 on cuda", "transformers:float16 on cuda")
    ]
    assert found.left_out == (
        "transformers:int8: transformers does not have it on cuda (it has float16, bfloat16, float32)",
    )


def test_all_backends_leave_out_those_without_a_gpu_path() -> None:
    found = on_gpu(backend="all", precision="float16")
    assert {one.backend for one in found.candidates} == {"ctranslate2", "faster-whisper", "transformers"}
    assert {"openvino: it does not compute on cuda", "onnxruntime: it does not compute on cuda"} <= set(found.left_out)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "openvino-genai", "scripted", "whispercpp"])
@pytest.mark.parametrize("way", ["backend", "candidate", "baseline"])
def test_a_backend_that_is_named_and_has_no_gpu_path_is_refused_with_those_that_have(backend: str, way: str) -> None:
    precision = "float16" if backend == "whispercpp" else "float32"
    typed = {
        "backend": {"backend": backend},
        "candidate": {"candidate": f"{backend}:{precision}"},
        "baseline": {"backend": "ctranslate2", "baseline": f"{backend}:{precision}"},
    }[way]
    able = "ctranslate2, faster-whisper, faster-whisper-batched, transformers"
    with pytest.raises(ConfigError, match=f"--whisperq-device: {backend} does not compute on cuda; .*: {able}$"):
        on_gpu(**typed)


@pytest.mark.parametrize("pair", ["transformers:int8-dynamic", "ctranslate2:int16", "transformers:int8-weight"])
def test_a_pair_that_is_named_and_does_not_exist_there_is_an_error(pair: str) -> None:
    backend, _, precision = pair.partition(":")
    with pytest.raises(ConfigError, match=f"--whisperq-candidate: no precision of {backend} on cuda '{precision}'"):
        on_gpu(candidate=pair)


@pytest.mark.parametrize(
    "typed",
    [
        {"backend": "all"},
        {"backend": "all", "precision": "float16"},
        {"backend": "ctranslate2,transformers", "precision": "all"},
    ],
)
def test_without_a_gpu_what_all_stands_for_is_skipped_and_nothing_runs_on_the_cpu(
    gpus: set[type], typed: dict[str, str]
) -> None:
    gpus.clear()
    found = on_gpu(**typed)
    assert {one.missing for one in found.candidates} == {f"--whisperq-device cuda: {NONE}"}
    assert {one.device for one in (*found.candidates, found.baseline)} == {"cuda"}
    assert found.gpu == ""  # nobody is asked which


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"backend": "ctranslate2"}, "ctranslate2, which --whisperq-backend names"),
        ({"backend": "all,transformers", "precision": "float16"}, "transformers, which --whisperq-backend names"),
        ({"candidate": "faster-whisper:float16"}, "faster-whisper, which --whisperq-candidate names"),
    ],
)
def test_without_a_gpu_a_pair_that_is_named_is_an_error(gpus: set[type], typed: dict[str, str], named: str) -> None:
    gpus.clear()
    with pytest.raises(ConfigError, match=f"--whisperq-device: cuda cannot be used for {named}: {NONE}; run it where"):
        on_gpu(**typed)


def test_a_baseline_without_a_gpu_is_an_error_and_another_one_does(gpus: set[type]) -> None:
    gpus.remove(TransformersBackend)
    named = "transformers, which --whisperq-baseline names"
    with pytest.raises(ConfigError, match=f"cannot be used for {named}"):
        on_gpu(backend="ctranslate2")
    found = on_gpu(backend="ctranslate2", baseline="ctranslate2:float32")
    assert str(found.baseline) == "ctranslate2:float32 on cuda"


def test_a_cluster_has_no_gpus() -> None:
    with pytest.raises(ConfigError, match="--whisperq-engine: a cluster decodes on processors, and not on cuda; drop"):
        on_gpu(backend="ctranslate2", engine="ray")


@pytest.mark.parametrize("typed", ["gpu", "cuda:1", "CUDA", ""])
def test_another_device_is_refused(typed: str) -> None:
    with pytest.raises(ConfigError, match="--whisperq-device: must be one of cpu, cuda"):
        on_gpu(device=typed)
