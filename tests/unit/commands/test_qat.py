"""What ``whisperq qat`` refuses before it trains anything."""

from pathlib import Path

import pytest

from pytest_whisperq.__main__ import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    typed = {"--candidate": "openvino:int3-sym", "--corpus": "calls", "--out": "out"}
    typed |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert main(["qat", *(part for pair in typed.items() for part in pair)]) == 2
    return capsys.readouterr().err


def test_only_what_rounds_in_a_known_way_can_be_trained_for(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--candidate", "openvino:int8-ptq")
    assert "--candidate: nobody can be trained for openvino:int8-ptq" in said
    assert "openvino:int4-sym, openvino:int3-sym, openvino:int2-sym" in said
    assert "transformers:sim-int2" in said
    assert "ternary" not in said


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["notes.txt"], "--out: out holds something else (notes.txt); name a new or an empty folder"),
        (["config.json", "qat.json"], "--out: out holds a run that has ended; name a new folder"),
        (["state.safetensors", "model.safetensors"], "--out: out holds something else (model.safetensors)"),
    ],
)
def test_a_folder_with_anything_but_its_own_run_is_left_alone(
    files: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for name in files:
        (tmp_path / "out" / name).touch()
    assert told in refused(capsys)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(files)


def test_a_file_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").touch()
    assert "--out: out is no folder; name a new folder" in refused(capsys)


def test_random_weights_teach_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--model: random weights have nothing to teach" in refused(capsys, "--model", "random:whisper-tiny")
