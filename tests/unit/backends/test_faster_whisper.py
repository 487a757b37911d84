"""faster-whisper runs the files that CTranslate2 converted: linked, or copied where links are not to be had."""

import os
from pathlib import Path

import pytest

from pytest_whisperq.backends import get_backend


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    source = tmp_path / "converted"
    source.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (source / name).write_text(name)
    (tmp_path / "linked").mkdir()
    return source


def test_one_conversion_serves_both() -> None:
    backend, converter = get_backend("faster-whisper"), get_backend("ctranslate2")
    assert backend.precisions == converter.precisions
    assert {backend.base(precision) for precision in backend.precisions} == {
        ("ctranslate2", precision) for precision in converter.precisions
    }


def test_files_are_shared_with_the_conversion(converted: Path, tmp_path: Path) -> None:
    get_backend("faster-whisper").build("int8", converted, tmp_path / "linked", None)
    for path in converted.iterdir():
        assert path.samefile(tmp_path / "linked" / path.name)


def test_files_are_copied_where_they_cannot_be_linked(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    get_backend("faster-whisper").build("int8", converted, tmp_path / "linked", None)
    copy = tmp_path / "linked" / "model.bin"
    assert copy.read_text() == "model.bin"
    assert not copy.samefile(converted / "model.bin")
