"""The sweep's table: least loss first, and how far its order can be trusted."""

from dataclasses import replace

import pytest

from pytest_whisperq.__main__ import main
from pytest_whisperq.commands.sweep import Trial, report
from pytest_whisperq.judging.verdict import Check, Verdict
from pytest_whisperq.system.errors import ConfigError


def trial(samples: int, drop: float | None, lower: float | None, upper: float | None) -> Trial:
    check = Check(
        name="drop",
        value=drop,
        limit=1.0,
        keep="below",
        lower=lower,
        upper=upper,
        confidence=0.95,
        unit="points",
        verdict=Verdict.INCONCLUSIVE,
        reason="",
    )
    rate = None if drop is None else 0.1
    return Trial(samples=samples, alphas=(0.5, 0.95), drop=check, metric="wer", error_rate=rate)


def test_the_least_loss_comes_first_and_ties_are_said_to_be_ties() -> None:
    lines: list[str] = []
    report([trial(8, 2.0, 1.5, 2.5), trial(16, 0.5, 0.1, 0.9), trial(32, 0.7, 0.2, 1.1)], lines.append)
    assert [line.split()[0] for line in lines[1:4]] == ["16", "32", "8"]
    assert lines[4] == "loses least: --whisperq-calibration-samples=16 --whisperq-smooth-quant=0.5,0.95"
    assert lines[5] == "1 of the 2 others lie within its bounds: their order may be noise"


def test_a_trial_without_a_figure_comes_last() -> None:
    lines: list[str] = []
    report([trial(8, None, None, None), trial(16, 3.0, None, None)], lines.append)
    assert lines[1].split()[0] == "16"
    assert "none" in lines[2]


def test_a_setting_that_breaks_the_model_is_the_last_row_and_says_how() -> None:
    lines: list[str] = []
    broken = Trial(samples=8, alphas=(0.5, 0.5), drop=None, metric="wer", broken="int8-ptq broke the decoder: …")
    left = replace(trial(16, 0.5, 0.1, 0.9), notes=("decoder layers.1.fc2 is left in float32: …",))
    report([broken, trial(32, None, None, None), left], lines.append)
    assert [line.split()[0] for line in lines[1:4]] == ["16", "32", "8"]
    assert lines[3].split() == ["8", "0.5", "0.5", "none", "none", "broken"]
    assert lines[4:6] == [
        "16 samples, 0.5 and 0.95: decoder layers.1.fc2 is left in float32: …",
        "8 samples, 0.5 and 0.5: int8-ptq broke the decoder: …",
    ]
    assert lines[6].startswith("loses least: --whisperq-calibration-samples=16")


def test_where_every_setting_breaks_the_model_the_first_says_how() -> None:
    broken = Trial(samples=8, alphas=(0.5, 0.5), drop=None, metric="wer", broken="int8-ptq broke the decoder: …")
    with pytest.raises(ConfigError, match="nothing was measured: int8-ptq broke the decoder: …"):
        report([broken], list[str]().append)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samples", "0"], "must be whole numbers, 1 or more, such as 16,32 (got '0')"),
        (["--samples", "many"], "must be whole numbers"),
        (["--smooth-quant", "2,0"], "argument --smooth-quant: must be"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", *arguments])
    assert message in capsys.readouterr().err


def test_more_samples_than_there_are_is_an_error_before_anything_is_built(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sweep", "--samples", "16,1000"]) == 2
    assert "--samples: 1000 asked for, but the calibration set has" in capsys.readouterr().err
