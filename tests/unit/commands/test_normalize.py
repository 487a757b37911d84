"""`whisperq normalize` shows what becomes of a text, step by step."""

from pathlib import Path

import pytest

from pytest_whisperq.__main__ import main


def test_each_step_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[replace]\n"e.g." = "for example"\n')
    assert main(["normalize", "Don’t, e.g. O’Brien", "--language=en", f"--substitutions={own}"]) == 0
    first, *steps = capsys.readouterr().out.splitlines()
    assert first.startswith("whisper-english (whisper-normalizer ")
    assert ", substitutions " in first
    assert [line.split(maxsplit=1) for line in steps] == [
        ["as", "given         Don’t, e.g. O’Brien"],
        ["typography", "Don't, e.g. OBrien"],
        ["substitutions", "Don't, for example OBrien"],
        ["whisper-english", "do not for example obrien"],
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Größe"], "whisper-basic ("),
        (["हिन्दी", "--language=hi"], "by-language ("),
        (["a", "--normalizer=whisper-english@1"], "whisper-english ("),
    ],
)
def test_the_normalizer_is_the_one_of_a_run(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["normalize", *arguments]) == 0
    assert capsys.readouterr().out.startswith(expected)


def test_an_unknown_normalizer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["normalize", "a", "--normalizer=whisperx"]) == 2
    assert "unknown normalizer 'whisperx'" in capsys.readouterr().err
