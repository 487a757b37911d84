"""The embedded model as other tools convert it, gated as it lies."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.backends import get_backend
from pytest_whisperq.backends._whisper import quiet_libraries
from pytest_whisperq.config.candidates import Candidate
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.judging.verdict import Verdict
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import WhisperqError

GateRun = Callable[..., GateRunner]


@pytest.fixture(scope="module")
def ct2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ct2-transformers-converter`` writes of the embedded model, in ``int8`` and ``float16``."""
    from ctranslate2.converters import TransformersConverter

    folder = tmp_path_factory.mktemp("ct2")
    for precision in ("int8", "float16"):
        with quiet_libraries():
            TransformersConverter(str(package_data.model_directory())).convert(
                str(folder / precision), quantization=precision
            )
    return folder


@pytest.fixture(scope="module")
def ir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``optimum-cli export openvino`` writes of the embedded model: in its own float16, and with int8 weights."""
    from optimum.exporters.openvino import main_export
    from optimum.intel import OVModelForSpeechSeq2Seq, OVWeightQuantizationConfig

    folder = tmp_path_factory.mktemp("ir")
    plain, task = folder / "calls-v2", "automatic-speech-recognition-with-past"
    with quiet_libraries():
        main_export(str(package_data.model_directory()), plain, task=task)
        int8 = OVWeightQuantizationConfig(bits=8)
        OVModelForSpeechSeq2Seq.from_pretrained(plain, quantization_config=int8, compile=False).save_pretrained(
            folder / "calls-v3"
        )
    return folder


def gated(gate_run: GateRun, candidate: str) -> tuple[GateRunner, Candidate]:
    runner = gate_run(candidate=candidate)
    runner.session.read()
    (one,) = runner.config.candidates
    assert runner.judge("parity", one, min_exact_match=0.5, max_divergence=0.2).judgement.verdict is Verdict.PASS
    return runner, one


def test_a_folder_of_ctranslate2_is_gated_with_the_front_end_of_the_checkpoint(ct2: Path, gate_run: GateRun) -> None:
    runner, one = gated(gate_run, f"ctranslate2@{ct2 / 'int8'}")
    assert str(one) == "ctranslate2:int8-float16@int8"  # for the checkpoint is float16
    transcripts = runner.session.model(one).transcripts
    assert transcripts.compute_type in ("int8_float32", "int8_float16")
    artifact = transcripts.artifact
    assert (artifact.directory / "model.bin").readlink() == ct2 / "int8" / "model.bin"
    (note,) = artifact.notes
    assert note.startswith("not in int8, and taken from the checkpoint (--whisperq-model): generation_config.json, ")
    assert "preprocessor_config.json" in note
    assert "tokenizer.json" in note


@pytest.mark.matrix
def test_a_folder_of_float16_is_loaded_as_int8(ct2: Path, gate_run: GateRun) -> None:
    for backend in ("ctranslate2", "faster-whisper"):
        runner, one = gated(gate_run, f"{backend}:int8@{ct2 / 'float16'}")
        assert str(one) == f"{backend}:int8@float16"
        assert runner.session.model(one).transcripts.compute_type == "int8_float32"


@pytest.mark.matrix
def test_what_the_runtime_makes_of_float16_is_gated_unless_float16_is_asked_for(ct2: Path, gate_run: GateRun) -> None:
    runner, one = gated(gate_run, f"ctranslate2@{ct2 / 'float16'}")
    assert str(one) == "ctranslate2:float16@float16"
    transcripts = runner.session.model(one).transcripts
    has_none = "float16" in get_backend("ctranslate2").falls_back()
    assert transcripts.compute_type == ("float32" if has_none else "float16")
    assert transcripts.fell_back is has_none
    if has_none:
        told = r"ctranslate2:float16@float16 was asked for but 'float32' executes here.*; have it loaded as another"
        with pytest.raises(WhisperqError, match=told):
            gate_run(candidate=f"ctranslate2:float16@{ct2 / 'float16'}").session.read()


@pytest.mark.matrix
def test_an_exported_ir_is_gated_with_nothing_from_elsewhere(ir: Path, gate_run: GateRun) -> None:
    runner, one = gated(gate_run, f"openvino@{ir / 'calls-v2'}")
    assert str(one) == "openvino:float16@calls-v2"
    assert runner.session.model(one).transcripts.artifact.notes == ()
    runner, one = gated(gate_run, f"openvino:float32@{ir / 'calls-v2'}")
    assert runner.session.model(one).transcripts.compute_type == "float32"


@pytest.mark.matrix
def test_one_with_int8_weights_is_executed_as_such(ir: Path, gate_run: GateRun) -> None:
    runner, one = gated(gate_run, f"openvino@{ir / 'calls-v3'}")
    assert str(one) == "openvino:int8@calls-v3"
    assert runner.session.model(one).transcripts.compute_type == "float32 on int8 weights"


@pytest.mark.matrix
def test_what_this_package_builds_is_read_back_as_what_it_is(gate_run: GateRun) -> None:
    """Of every precision that other tests have built, or build."""
    session = gate_run(candidate="openvino:int8").session
    for pair in ("openvino:float32", "openvino:int8", "openvino:float16", "openvino:int4-sym", "openvino:int4-asym"):
        backend, precision = pair.split(":")
        found = get_backend(backend).look(session.build(backend, precision).directory)  # type: ignore[attr-defined]
        assert found.stored == precision
        assert found.precisions[precision] == get_backend(backend).precisions[precision]
        assert not found.lacks
        config = json.loads((session.source.directory / "config.json").read_text())
        assert {name: config[name] for name in found.sizes} == found.sizes


def test_another_vocabulary_is_an_error_before_anything_is_heard(ct2: Path, gate_run: GateRun, tmp_path: Path) -> None:
    folder = tmp_path / "edited"
    shutil.copytree(ct2 / "int8", folder)
    tokens = json.loads((folder / "vocabulary.json").read_text())
    tokens[10], tokens[11] = tokens[11], tokens[10]
    (folder / "vocabulary.json").write_text(json.dumps(tokens))
    with pytest.raises(WhisperqError, match=rf"{folder}: .*the tokenizer is another model's: its tokens are not those"):
        gate_run(candidate=f"ctranslate2@{folder}").session.read()


def test_another_models_features_are_an_error_before_anything_is_heard(ct2: Path, gate_run: GateRun) -> None:
    runner = gate_run(candidate=f"ctranslate2@{ct2 / 'int8'}", model="whisperq-micro-distil.en")
    with pytest.raises(
        WhisperqError, match=r"ctranslate2:int8-float16@int8: it was not made of whisperq-micro-distil\.en: "
    ):
        runner.session.read()
