"""``playground`` says what is missing before it builds anything."""

import sys

import pytest

from pytest_whisperq.__main__ import main
from pytest_whisperq.session import Session
from pytest_whisperq.system.errors import ConfigError


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


def test_a_build_that_may_not_fit_is_told_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(*given: object, **asked: object) -> None:
        raise ConfigError("is being built", where="the model", remedy="wait")

    monkeypatch.setattr("pytest_whisperq.playground.server.check_gradio", lambda: None)
    monkeypatch.setattr("pytest_whisperq.commands.playground.Models", build)
    monkeypatch.setattr(Session, "shortages", ["warning: building takes memory"])
    assert main(["playground", "--candidate", "ctranslate2:int8", "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert said.index("warning: building takes memory") < said.index("is being built")
