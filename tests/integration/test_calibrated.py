"""Calibrated int8: what calibration breaks is found, left in float32 and named; what stays broken is no model."""

import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pytest_whisperq.backends import Loss, Measure, _openvino_ptq
from pytest_whisperq.gates.diagnosis import diagnose
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.session import recordings
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import QuantizationError

LAYER = "layers.3"
HEALTHY = {"candidate": "openvino:int8-ptq"}
OPTIONS = {**HEALTHY, "calibration": "embedded"}


@pytest.fixture(scope="module")
def with_an_outlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model with one hidden unit a thousand times as large, and retracted by the weights behind it.

    In float32 it says the same: a GELU of large values is what it is given, or nothing. In int8 the steps of that
    layer's input are too coarse for all other units, which is the cliff of OpenAI's tiny.en.
    """
    directory = tmp_path_factory.mktemp("outlier") / "model"
    shutil.copytree(package_data.model_directory(), directory)
    weights = {name: value.copy() for name, value in load_file(directory / "model.safetensors").items()}
    first, second = (f"model.encoder.{LAYER}.{name}" for name in ("fc1", "fc2"))
    unit = int(np.abs(weights[f"{second}.weight"]).max(axis=0).argmax())
    weights[f"{first}.weight"][unit] *= 1000
    weights[f"{first}.bias"][unit] *= 1000
    weights[f"{second}.weight"][:, unit] /= 1000
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
    return directory


@pytest.mark.matrix
def test_a_layer_that_an_outlier_breaks_is_left_in_float32_and_named(
    gate_run: Callable[..., GateRunner], with_an_outlier: Path
) -> None:
    run = gate_run(**OPTIONS, model=str(with_an_outlier))
    artifact = run.session.model(run.config.candidates[0]).artifact
    (note,) = [note for note in artifact.notes if note.startswith("encoder")]
    assert note.startswith(f"encoder {LAYER}.fc2 is left in float32: its SQNR in int8 is ")
    assert note.endswith(" dB, below 14 dB")
    healthy = gate_run(**HEALTHY)
    (check,) = healthy.session.model(healthy.config.candidates[0]).artifact.notes
    assert re.fullmatch(
        r"self-check on 4 calibration clips: says \d+ of float32's \d+ greedy tokens; lowest SQNR \d\d\.\d dB "
        r"\(encoder block layers\.\d\) and \d\d\.\d dB \(decoder block layers\.\d\)",
        check,
    )


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quantize whatever that breaks."""
    for name in ("LEAST_OF_LAYER", "LEAST_OF_PART"):
        monkeypatch.setattr(_openvino_ptq, name, -math.inf)
    monkeypatch.setattr(_openvino_ptq, "surely_fewer", lambda *_: False)


@pytest.mark.matrix
@pytest.mark.usefixtures("unguarded")
def test_without_that_guard_a_diagnosis_names_the_block_and_a_mixture_gives_it_back(
    gate_run: Callable[..., GateRunner], with_an_outlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is heard of six clips, it is made to fail once and to pass then: a mixture with one block given back."""
    options = {**OPTIONS, "model": str(with_an_outlier), "calibration_samples": "6", "diagnose": "true"}
    run = gate_run(**options)
    found = diagnose(run, run.config.candidates[0], passed=True)
    assert found.blames[0].block == f"encoder.{LAYER}"
    assert found.blames[0].noise.layer == f"{LAYER}.fc2"

    losses = iter([2.0, 0.0])

    def measure(*_: object, **__: object) -> Measure:
        return Measure(
            identity="", limit=1.0, between=lambda *_: Loss(value=0.0, upper=next(losses), limit=1.0, clips=6)
        )

    monkeypatch.setattr(recordings, "measure_on", measure)
    run = gate_run(**{**options, "candidate": "openvino:int8-ptq-mixed"}, max_utterances="4")
    model = run.session.model(run.config.candidates[0])
    note = model.artifact.notes[-1]
    assert note.startswith(f"int8-ptq-mixed: encoder.{LAYER} given back to float32, ")
    assert model.transcripts.compute_type == "int8_float32"
    whole = gate_run(**options, max_utterances="4")
    counts = [
        int(re.findall(r"encoder (\d+) of", one.operations)[0])
        for one in (whole.session.model(whole.config.candidates[0]).transcripts, model.transcripts)
    ]
    assert counts[0] - counts[1] == 6  # four of the attention, fc1 and fc2


@pytest.mark.matrix
def test_a_layer_that_only_texts_between_timestamps_break_is_found(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word before a closing timestamp stands out in the embedded model; a mean of ranges cuts it off."""
    monkeypatch.setattr(_openvino_ptq, "_RANGES", {"encoder": "MEAN_MINMAX", "decoder": "MEAN_MINMAX"})
    run = gate_run(**HEALTHY, calibration_samples="8")  # as no other test asks for: what is built is no model
    note, _ = run.session.model(run.config.candidates[0]).artifact.notes
    assert note.startswith("decoder proj_out is left in float32: its SQNR in int8 is ")


@pytest.mark.matrix
def test_what_is_left_in_float32_is_read_back_from_what_executes(
    gate_run: Callable[..., GateRunner], with_an_outlier: Path
) -> None:
    """One layer of 26 fewer multiplies in int8."""
    broken, healthy = (
        run.session.model(run.config.candidates[0]).transcripts.operations
        for options in ({**OPTIONS, "model": str(with_an_outlier)}, HEALTHY)
        for run in [gate_run(**options, max_utterances="4")]
    )
    counts = [int(text.partition("encoder ")[2].split(" of ")[0]) for text in (broken, healthy)]
    assert counts[0] == counts[1] - 1


def test_a_model_that_stays_broken_is_no_model_and_its_block_is_named(
    gate_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first in which there is too much noise, before its decoder is quantized."""
    monkeypatch.setattr(_openvino_ptq, "LEAST_OF_PART", 60.0)
    monkeypatch.setattr(_openvino_ptq, "quantize_decoder", None)
    run = gate_run(**{**OPTIONS, "calibration_samples": "2", "seed": "7"})
    with pytest.raises(
        QuantizationError,
        match=r"int8-ptq broke the encoder: .* of block layers\.0 is .*--whisperq-calibration.*or gate openvino:int8",
    ):
        _ = run.session.model(run.config.candidates[0]).artifact
    assert run.session.store.built(run.session.spec(run.config.candidates[0])) is None
