"""Simulated weights are those that a runtime stores, take the bytes that they say, and are told by their files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pytest_whisperq.backends import get_backend
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.system.errors import BuildError

GateRun = Callable[..., GateRunner]


def built(gate_run: GateRun, precision: str) -> Path:
    run = gate_run(candidate=f"transformers:{precision}")
    return run.session.model(run.config.candidates[0]).artifact.directory


def weights(directory: Path, precision: str) -> dict[str, np.ndarray]:
    """Return what PyTorch computes with, by name."""
    model = get_backend("transformers").load(precision, directory, 1)._model  # type: ignore[attr-defined]
    return {name: value.detach().numpy() for name, value in model.named_parameters()}


@pytest.mark.matrix
def test_rounding_to_4_bits_is_nncfs(gate_run: GateRun) -> None:
    """So that what is simulated says what an executed precision would."""
    nncf, openvino = pytest.importorskip("nncf"), pytest.importorskip("openvino")
    whole, ours = (weights(built(gate_run, name), name) for name in ("float32", "sim-int4"))
    name = "model.encoder.layers.2.fc1.weight"
    opset = openvino.opset13
    given = opset.parameter([1, whole[name].shape[1]], openvino.Type.f32)
    product = opset.matmul(given, opset.constant(whole[name]), False, True)
    graph = openvino.Model([opset.result(product)], [given])
    mode = nncf.CompressWeightsMode.INT4_SYM
    theirs = nncf.compress_weights(graph, mode=mode, group_size=64, all_layers=True)
    computed = openvino.Core().compile_model(theirs, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    columns = np.eye(whole[name].shape[1], dtype=np.float32)
    stored = np.stack([computed(column[None])[0].ravel() for column in columns], axis=1)
    step = np.abs(whole[name]).max() / 8
    differ = np.abs(stored - ours[name]) > 0.01 * step
    assert differ.mean() < 0.01  # where a weight lies in the middle, float16 scales decide


def test_only_matrices_and_the_embedding_are_rounded(gate_run: GateRun) -> None:
    whole, ours = (weights(built(gate_run, name), name) for name in ("float32", "sim-int4"))
    changed = {name for name in whole if not np.array_equal(whole[name], ours[name])}
    assert "model.decoder.embed_tokens.weight" in changed
    assert all(whole[name].ndim == 2 and "embed_positions" not in name for name in changed)
    assert len(changed) == sum(value.ndim == 2 and "positions" not in name for name, value in whole.items())


@pytest.mark.parametrize("precision", ["sim-int4", "sim-int3-channel", "sim-ternary"])
def test_the_note_says_simulated_and_counts_the_bytes_that_the_files_have(gate_run: GateRun, precision: str) -> None:
    run = gate_run(candidate=f"transformers:{precision}")
    artifact = run.session.model(run.config.candidates[0]).artifact
    (note,) = artifact.notes
    assert note.startswith("simulated: PyTorch computes in float32 on weights rounded to ")
    stored = load_file(artifact.directory / "model.safetensors")
    taken = sum(value.nbytes for name, value in stored.items() if name.endswith((".packed", ".scale")))
    assert f"would need {taken:,} bytes" in note
    bits = {"sim-int4": 4, "sim-int3-channel": 3, "sim-ternary": 1.6}[precision]
    whole = load_file(built(gate_run, "float32") / "model.safetensors")
    names = [name.removesuffix(".packed") for name in stored if name.endswith(".packed")]
    count = sum(whole[name].size for name in names)
    assert 8 * sum(value.nbytes for name, value in stored.items() if name.endswith(".packed")) / count == pytest.approx(
        bits, rel=1e-3
    )


def test_what_it_is_called_is_read_from_the_files_and_damage_is_refused(gate_run: GateRun, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(built(gate_run, "sim-int4"), tmp_path / "model")
    backend, path = get_backend("transformers"), tmp_path / "model" / "model.safetensors"
    loaded = backend.load("sim-int2", tmp_path / "model", 1)
    assert loaded.compute_type == "float32 on simulated int4 weights"  # not as which it was loaded
    whole = load_file(path)
    name = "model.decoder.layers.1.fc1.weight"
    for change, says in (
        ({f"{name}.packed": whole[f"{name}.packed"][:-7]}, rf"{name} is cut, or another model's"),
        ({f"{name}.scale": None}, "missing and would be filled with random numbers"),
    ):
        save_file({key: value for key, value in {**whole, **change}.items() if value is not None}, path)
        with pytest.raises(BuildError, match=says):
            backend.load("sim-int4", tmp_path / "model", 1)
