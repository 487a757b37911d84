"""Training rounds weights as the runtimes do, can be stopped, and ends with a checkpoint that is built as trained."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends import Grid, _fake_bits, _simulated_bits
from pytest_whisperq.backends._whisper import FrontEnd, quiet_libraries
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.models import qat
from pytest_whisperq.models.qat import Example, Plan, Training
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.system import package_data
from pytest_whisperq.system.errors import ConfigError

GRIDS = [
    *(Grid(levels=levels, group=group) for levels in (4, 8, 16, 256) for group in (64, None)),
    Grid(levels=4, group=16),
]


@pytest.fixture
def weight() -> torch.Tensor:
    """A matrix with a row of zeros, one that is all positive, and one with a weight far from the others."""
    drawn = torch.randn(24, 128, generator=torch.Generator().manual_seed(3)) * 0.05
    drawn[0] = 0
    drawn[1] = drawn[1].abs()
    drawn[2, 5] = 3.0
    return drawn


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.levels}-{grid.group}")
def test_whoever_rounds_what_was_rounded_finds_the_same_codes(grid: Grid, weight: torch.Tensor) -> None:
    once = _fake_bits.fake(weight, _fake_bits.fitted(weight, grid), grid)
    codes, scales = _simulated_bits.rounded(once.numpy(), grid.levels, grid.group or weight.shape[1])
    again = _simulated_bits.values(codes, grid.levels) * scales.astype(np.float32)
    np.testing.assert_array_equal(again.reshape(weight.shape), once.numpy())


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.levels}-{grid.group}")
def test_a_scale_that_training_made_too_large_still_is_one_that_others_find(grid: Grid, weight: torch.Tensor) -> None:
    """No weight would have the lowest code by it."""
    once = _fake_bits.fake(weight, 1.9 * _fake_bits.fitted(weight, grid), grid)
    codes, scales = _simulated_bits.rounded(once.numpy(), grid.levels, grid.group or weight.shape[1])
    again = _simulated_bits.values(codes, grid.levels) * scales.astype(np.float32)
    np.testing.assert_array_equal(again.reshape(weight.shape), once.numpy())


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.levels}-{grid.group}")
def test_a_scale_that_float16_makes_too_large_is_one_that_others_find(grid: Grid) -> None:
    """By the scale itself the largest weight just has the lowest code, and by what is stored of it perhaps not."""
    random = torch.Generator().manual_seed(5)
    weight = torch.randn(2048, 128, generator=random) * 0.05
    rows = _fake_bits.grouped(weight, grid)
    near = 1 + 1e-3 * torch.randn(len(rows), 1, generator=random)
    scale = near * (-rows).amax(1, keepdim=True) / (grid.levels // 2 - 0.5)
    once = _fake_bits.fake(weight, scale, grid)
    codes, scales = _simulated_bits.rounded(once.numpy(), grid.levels, grid.group or weight.shape[1])
    again = _simulated_bits.values(codes, grid.levels) * scales.astype(np.float32)
    np.testing.assert_array_equal(again.reshape(weight.shape), once.numpy())


def test_the_first_scales_lose_no_more_than_those_of_the_largest_weight(weight: torch.Tensor) -> None:
    grid = Grid(levels=8, group=64)
    rows = _fake_bits.grouped(weight, grid)
    codes, scales = _simulated_bits.rounded(weight.numpy(), grid.levels, 64)
    plain = _simulated_bits.values(codes, grid.levels) * scales.astype(np.float32)
    fitted = _fake_bits.fake(weight, _fake_bits.fitted(weight, grid), grid).reshape(rows.shape)
    errors = [((torch.as_tensor(one) - rows) ** 2).sum(1) for one in (fitted, plain)]
    assert (errors[0] <= errors[1] * (1 + 1e-3) + 1e-9).all()
    assert errors[0].sum() < 0.9 * errors[1].sum()


def test_rounding_passes_gradients_on_but_for_what_lies_beyond_the_last_code() -> None:
    weight = torch.tensor([[-1.0, 0.3, 0.2, 0.9]], requires_grad=True)
    scale = torch.tensor([[0.25]], requires_grad=True)
    rounded = _fake_bits.fake(weight, scale, Grid(levels=8, group=None))
    assert rounded.tolist() == [[-1.0, 0.25, 0.25, 0.75]]
    rounded.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1.0, 1.0, 1.0, 0.0]]
    assert scale.grad is not None
    # Of each weight its code, less what it is in steps where it lies within them: -4+4, 1-1.2, 1-0.8 and 3.
    assert scale.grad.item() == pytest.approx(3.0)


def examples(count: int = 4) -> list[Example]:
    """A few calibration clips, with their references in the place of what the teacher says."""
    front_end = FrontEnd(package_data.model_directory())
    made = []
    for item in load_corpus(package_data.calibration_directory(), "").speech[:count]:
        samples = audio.load(item.audio)
        tokens = (*front_end.prompt(item.language), *front_end.spell(item.reference), 5)
        made.append(Example(load=lambda samples=samples: samples, seconds=len(samples) / 16_000, tokens=tokens))
    return made


def training(**changes: object) -> Training:
    plan = Plan(**{"candidate": "c", "model": "m", "corpus": "k", "steps": 6, "seed": 1, **changes})  # type: ignore[arg-type]
    with quiet_libraries():
        return Training(package_data.model_directory(), Grid(levels=4, group=64), examples(), plan, 1)


def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qat, "BATCH_SECONDS", 4.0)
    whole, first, second = training(), training(), training()
    losses = [whole.learn() for _ in range(6)]
    for _ in range(3):
        first.learn()
    first.keep(tmp_path / qat.STATE)
    second.resume(tmp_path / qat.STATE)
    assert [second.learn() for _ in range(3)] == losses[3:]
    for one, other in zip(whole.rounded().values(), second.rounded().values(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ConfigError, match="holds a run with another steps, seed; give the options of that run again"):
        training(steps=7, seed=2).resume(tmp_path / qat.STATE)


def test_what_is_written_is_known_where_it_would_be_rounded_otherwise_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = training()
    monkeypatch.setattr(_fake_bits, "fake", lambda weight, scale, grid: weight + 1)  # each time to something else
    with quiet_libraries():
        written = student.save(tmp_path / "trained")
    stored = load_file(tmp_path / "trained" / "model.safetensors")
    again = student.rounded()
    assert all(np.array_equal(stored[name].numpy(), value) for name, value in written.items())
    assert not any(np.array_equal(again[name].detach().numpy(), value) for name, value in written.items())


@pytest.mark.matrix
def test_a_student_comes_nearer_to_its_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qat, "BATCH_SECONDS", 8.0)
    monkeypatch.setattr(qat, "_WARM_UP", 2)
    student = training(steps=16)
    losses = [student.learn().tokens for _ in range(16)]
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])


@pytest.mark.matrix
@pytest.mark.parametrize("candidate", ["openvino:int3-sym", "openvino:int2-sym", "transformers:sim-int3"])
def test_what_was_trained_is_what_is_built_and_gated(
    candidate: str, tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["qat", "--candidate", candidate, "--corpus", str(package_data.calibration_directory()), "--steps", "2"]
    typed += ["--out", str(tmp_path / "out"), "--max-utterances", "6", "--threads", "1", "--cache-dir", str(cache_dir)]
    assert main([*typed, "--minutes", "1e-9"]) == 0
    assert "stopped behind step 0 of 2: the same command goes on" in capsys.readouterr().out
    assert main(typed) == 0
    said = capsys.readouterr().out
    assert f"a build of {candidate} has the very weights that were trained" in said
    assert f"--whisperq-baseline transformers:float32@whisperq-micro --whisperq-candidate {candidate}" in said
    assert main(typed) == 2
    assert "holds a run that has ended" in capsys.readouterr().err
    assert len(load_file(tmp_path / "out" / "model.safetensors")) > 100
    options = {
        "model": str(tmp_path / "out"),
        "baseline": "transformers:float32@whisperq-micro",
        "candidate": candidate,
        "max_utterances": "6",
        "threads": "1",
        "cache_dir": str(cache_dir),
    }
    run = GateRunner(resolve({f"whisperq_{key}": value for key, value in options.items()}))
    judgement = run.judge("accuracy", run.config.candidates[0]).judgement
    assert judgement.baseline == "transformers:float32@whisperq-micro"
    assert run.session.model(run.config.candidates[0]).transcripts.compute_type.startswith("float32 on ")
