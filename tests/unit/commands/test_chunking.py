"""The comparison of chunked and sequential decoding: its table, and the settings it refuses."""

import pytest

from pytest_whisperq.__main__ import main
from pytest_whisperq.commands.chunking import Comparison, report
from pytest_whisperq.measuring.scores import ErrorCount, count_errors


def counted(errors: int) -> ErrorCount:
    words = [f"w{n}" for n in range(20)]
    return count_errors(" ".join(words), " ".join(words[errors:]))


def test_words_and_time_stand_side_by_side() -> None:
    found = [
        Comparison(
            recording=name,
            duration=60.0,
            metric="wer",
            counts=(counted(2), counted(1)),
            seconds=seconds,
            apart=counted(3),
        )
        for name, seconds in (("one.ogg", (2.0, 5.0)), ("two.ogg", (2.0, 1.0)))
    ]
    lines: list[str] = []
    report(found, lines.append)
    assert lines[:3] == [
        "recording  seconds  mode        WER, %    RTFx",
        "one.ogg       60.0  chunked      10.00    30.0",
        "one.ogg       60.0  sequential    5.00    12.0",
    ]
    assert lines[5] == (
        "sequential took 1.50 times as long as chunked; the two differ in 15.00 % of the chunked text's words"
    )


def test_silence_has_no_words_to_differ_in() -> None:
    nothing = count_errors("", "")
    lines: list[str] = []
    report(
        [
            Comparison(
                recording="a",
                duration=1.0,
                metric="cer",
                counts=(counted(0), counted(0)),
                seconds=(1, 1),
                apart=nothing,
            )
        ],
        lines.append,
    )
    assert "  CER, %  " in lines[0]
    assert "  CER, %  " in lines[0]
    assert lines[-2].endswith("the two have nothing to compare")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--chunk-seconds", "31"], "--chunk-seconds: must be a number of seconds from 1 to 30 (got '31')"),
        (["--batch-size", "0"], "--batch-size: must be a whole number, 1 or more (got '0')"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["chunking", *arguments])
    assert message in capsys.readouterr().err


def test_recordings_that_are_not_there_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chunking", "--long-form", "nowhere"]) == 2
    assert "--whisperq-long-form: 'nowhere'" in capsys.readouterr().err
