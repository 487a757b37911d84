"""torchao's weight-only precisions: kept whole in safetensors, named by what they hold, and clip by clip the same."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from pytest_whisperq.backends import _torchao, get_backend
from pytest_whisperq.contract import Subject, parametrize_backend_checks
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.measuring.scores import count_errors, error_rate
from pytest_whisperq.system.errors import BuildError

pytestmark = pytest.mark.matrix  # `tox run -e matrix` has torchao

GateRun = Callable[..., GateRunner]
SUBJECTS = [Subject(get_backend("transformers"), precision=precision) for precision in _torchao.PRECISIONS]
FC1 = "model.decoder.layers.1.fc1.weight"


@pytest.fixture(scope="module", autouse=True)
def torchao() -> None:
    pytest.importorskip("torchao", reason='needs: pip install "pytest-whisperq[torchao]"')


def built(gate_run: GateRun, precision: str) -> Path:
    run = gate_run(candidate=f"transformers:{precision}")
    return run.session.model(run.config.candidates[0]).artifact.directory


@parametrize_backend_checks(*SUBJECTS)
def test_it_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("precision", _torchao.PRECISIONS)
def test_it_hears_speech_nearly_as_well_as_float32(gate_run: GateRun, precision: str) -> None:
    run = gate_run(candidate=f"transformers:{precision}", max_utterances="8")
    (candidate,) = run.config.candidates
    assert run.session.model(candidate).transcripts.compute_type == _torchao.PRECISIONS[precision]
    pairs = run.session.texts(candidate).pairs
    rate = error_rate([count_errors(item.reference, item.candidate) for item in pairs])
    assert rate is not None
    assert rate < 0.5


@pytest.mark.parametrize("precision", _torchao.PRECISIONS)
def test_what_is_loaded_is_what_was_built(gate_run: GateRun, precision: str) -> None:
    """Of every linear layer, the last one too; and the other weights are those of float32."""
    import torch

    directory = built(gate_run, precision)
    stored = load_file(directory / "model.safetensors")
    whole = load_file(built(gate_run, "float32") / "model.safetensors")
    model = get_backend("transformers").load(precision, directory, 1)._model  # type: ignore[attr-defined]
    kind = {"int8-weight": torch.int8, "float8-weight": torch.float8_e4m3fn}[precision]
    layers = {f"{name}.weight" for name, one in model.named_modules() if isinstance(one, torch.nn.Linear)}
    assert {name.removesuffix(".qdata") for name in stored if name.endswith(".qdata")} == layers
    assert "proj_out.weight" in layers
    for name, weight in model.named_parameters():
        if name in layers:
            assert stored[f"{name}.qdata"].dtype == kind
            original = whole.get(name, whole["model.decoder.embed_tokens.weight"])
            step = original.abs().amax(1, keepdim=True) / (127 if kind == torch.int8 else 14)  # of 448, float8 steps 32
            assert ((weight.dequantize() - original).abs() <= 0.51 * step).all()
            assert torch.equal(weight.qdata.float(), stored[f"{name}.qdata"].float())
        else:
            assert torch.equal(weight, whole[name])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({f"{FC1}.qdata": None}, "some are missing and would be filled with random numbers"),
        ({f"{FC1}.scale": None}, "some are missing and would be filled with random numbers"),
        ({f"{FC1}.scale": lambda scale: scale[:-1]}, "some have another shape"),
        ({f"{FC1}.qdata": lambda data: data.float()}, rf"{FC1}.qdata is float32, and int8-weight has int8"),
        ({f"{FC1}.act_pre_scale": lambda _: load_scale()}, "some have no place in the model"),
    ],
)
def test_weights_that_are_missing_or_others_are_refused(
    gate_run: GateRun, tmp_path: Path, change: dict[str, Callable[..., object] | None], says: str
) -> None:
    shutil.copytree(built(gate_run, "int8-weight"), tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    tensors = load_file(path)
    for name, make in change.items():
        old = tensors.pop(name, None)
        if make:
            tensors[name] = make(old)  # type: ignore[assignment]
    save_file(tensors, path)
    with pytest.raises(BuildError, match=says):
        get_backend("transformers").load("int8-weight", tmp_path / "model", 1)


def load_scale() -> object:
    import torch

    return torch.ones(1)


def test_one_precision_is_not_loaded_as_another(gate_run: GateRun) -> None:
    with pytest.raises(BuildError, match=r"\.qdata is float8, and int8-weight has int8"):
        get_backend("transformers").load("int8-weight", built(gate_run, "float8-weight"), 1)


def test_layers_that_are_left_in_float_are_seen(gate_run: GateRun) -> None:
    import torch

    model = get_backend("transformers").load("int8-weight", built(gate_run, "int8-weight"), 1)._model  # type: ignore[attr-defined]
    layer = model.model.encoder.layers[0].fc1
    layer.weight = torch.nn.Parameter(layer.weight.dequantize())
    assert _torchao.executes(model) == " on float and int8 weights"
