"""``playground`` says what is missing before it builds anything."""

import sys

import pytest

from pytest_whisperq.__main__ import main


def test_a_candidate_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["playground"]) == 2
    assert "--candidate: which model? For example --candidate openvino:int8-ptq" in capsys.readouterr().err


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["playground", "--whisperq-candidate", "scripted:int8"]) == 2
    message = capsys.readouterr().err
    assert "gradio is not installed; it is needed to show the playground in a browser" in message
    assert 'pip install "pytest-whisperq[playground]"' in message
