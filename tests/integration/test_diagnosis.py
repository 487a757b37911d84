"""A block that is broken on purpose is named, and the model passes again with that block in float32."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pytest_whisperq.backends import _openvino_graph
from pytest_whisperq.backends._whisper import copy_front_end
from pytest_whisperq.backends.openvino import PINNED, OpenVINOBackend
from pytest_whisperq.gates.diagnosis import diagnose
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.system import package_data

BLOCK = "encoder.layers.2"


@pytest.fixture(scope="module")
def with_a_coarse_block(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model with one channel of a block's values small, and the weights that read it large.

    In float32 it says the same: values are not bent on the way. In int8 one scale a row is too coarse for all others.
    """
    directory = tmp_path_factory.mktemp("coarse") / "model"
    shutil.copytree(package_data.model_directory(), directory)
    weights = {name: value.copy() for name, value in load_file(directory / "model.safetensors").items()}
    values, reads = (f"model.{BLOCK}.self_attn.{name}" for name in ("v_proj", "out_proj"))
    unit = int(np.abs(weights[f"{reads}.weight"]).max(axis=0).argmax())
    weights[f"{values}.weight"][unit] /= 1000
    weights[f"{values}.bias"][unit] /= 1000
    weights[f"{reads}.weight"][:, unit] *= 1000
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
    return directory


@pytest.mark.matrix
def test_a_block_that_is_broken_is_named_and_the_model_passes_without_it(
    gate_run: Callable[..., GateRunner], with_a_coarse_block: Path
) -> None:
    run = gate_run(
        candidate="openvino:int8",
        model=str(with_a_coarse_block),
        calibration="embedded",
        calibration_samples="6",
        max_drop="6",
        diagnose="true",
    )
    (candidate,) = run.config.candidates
    found = diagnose(run, candidate, passed=False)
    assert found.blames[0].block == BLOCK
    assert found.blames[0].noise.layer == "layers.2.self_attn.out_proj"
    assert found.ignored == (BLOCK,)
    assert found.judgement
    assert found.judgement.candidate == f"openvino:int8 without {BLOCK}"
    assert found.judgement.verdict is Verdict.PASS
    assert found.judgement.built == (f"left in float32 by --whisperq-ignored-blocks: {BLOCK}",)
    assert found.judgement.compute_type == "float32 on int8 weights"


@pytest.mark.matrix
@pytest.mark.parametrize("precision", ["int4-sym", "vq2x256"])
def test_a_mixture_of_all_blocks_and_of_none_is_either_model(
    gate_run: Callable[..., GateRunner], precision: str
) -> None:
    """In what they say, beyond what the graphs compute: a decoder goes on with its cache."""
    run = gate_run(candidate=f"openvino:{precision}", calibration_samples="6", diagnose="true")
    (candidate,) = run.config.candidates
    session, clips = run.session, run.session.recordings.calibration.clips()
    folders = [session.build("openvino", precision).directory for precision in ("float32", candidate.precision)]
    mixed = OpenVINOBackend().mix(*folders, clips, 1)
    for chosen, precision, folder in zip(
        ((), tuple(mixed.blocks)), ("float32", candidate.precision), folders, strict=True
    ):
        alone = OpenVINOBackend().load(precision, folder, 1).transcribe(clips)
        assert [said.text for said in mixed.transcribe(chosen)] == [said.text for said in alone]


@pytest.mark.matrix
def test_a_mixture_tells_of_itself_what_loading_it_reads_back(
    gate_run: Callable[..., GateRunner], tmp_path: Path
) -> None:
    """One count: a build that gave back a block too many would be refused when it is loaded."""
    run = gate_run(candidate="openvino:int8-ptq")
    session, clips = run.session, run.session.recordings.calibration.clips()
    backend, seen = OpenVINOBackend(), set[bool]()
    folders = [session.build("openvino", precision).directory for precision in ("float32", "int8-ptq")]
    mixed = backend.mix(*folders, clips, 1)
    for number, left in enumerate(([], ["decoder.output"], [name for name in mixed.blocks if "decoder" in name])):
        directory = tmp_path / str(number)
        model = mixed.use([name for name in mixed.blocks if name not in left])
        model.save_pretrained(directory)
        copy_front_end(folders[0], directory)
        loaded = backend.load("int8-ptq", directory, 1).compute_type
        assert mixed.executes(left) == (loaded == backend.precisions["int8-ptq"])
        seen.add(mixed.executes(left))
    assert seen == {True, False}


@pytest.mark.matrix
@pytest.mark.parametrize("block", ["encoder.layers.0", "decoder.output"])
@pytest.mark.parametrize("precision", ["vq2x256", "codebook", "int4-sym"])
def test_a_build_without_a_block_is_the_mixture_without_it(
    gate_run: Callable[..., GateRunner], tmp_path: Path, precision: str, block: str
) -> None:
    """What is diagnosed is what the repair builds: scores are products with the embeddings, which stay quantized."""
    run = gate_run(candidate=f"openvino:{precision}", calibration_samples="6", diagnose="true")
    session, clips = run.session, run.session.recordings.calibration.clips()
    backend = OpenVINOBackend()
    folders = [session.build("openvino", one).directory for one in ("float32", precision)]
    backend.build_without((block,), precision, folders[0], tmp_path, None)
    built = backend.load(precision, tmp_path, 1)
    mixed = backend.mix(*folders, clips, 1)
    left = [name for name in mixed.blocks if name != block]
    assert (built.compute_type, built.operations) == _openvino_graph.read_back(mixed.use(left), PINNED)
    assert built.compute_type == backend.precisions[precision]
    assert [said.text for said in built.transcribe(clips)] == [said.text for said in mixed.transcribe(left)]
