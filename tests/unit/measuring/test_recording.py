"""What may be wrong with a recording and its text: said, never refused, and never of a corpus that is honest."""

import pytest

from pytest_whisperq.measuring.recording import doubt_lines, doubts
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Utterance
from pytest_whisperq.speech.integrity import UNTOLD, Note


def said(text: str, name: str = "call.wav") -> Utterance:
    kind = "" if text else "nonspeech"
    return Utterance(id=name, where="metadata.csv:2", audio=AudioSource(label=name), reference=text, kind=kind)


def heard(seconds: float, peak: float = 0.5, notes: tuple[Note, ...] = ()) -> ClipFacts:
    return ClipFacts(digest="", seconds=seconds, peak=peak, notes=notes)


@pytest.mark.parametrize(
    ("text", "seconds", "peak", "what", "detail"),
    [
        ("please hold the line", 0.6, 0.5, "more text than can be said", "20 characters in 0.6 s"),
        ("please hold the line " * 30, 12.0, 0.5, "more text than can be said", "630 characters in 12.0 s"),
        ("yes", 6.0, 0.5, "hardly any text for that time", "3 characters in 6.0 s"),
        ("please hold the line", 3.0, 0.0009, "silent, but with a transcript", ""),
        ("a", 0.099, 0.5, "too short for a word", "0.099 s"),
        ("", 0.05, 0.5, "too short for a word", "0.050 s"),
    ],
)
def test_what_cannot_be_right_is_doubted(text: str, seconds: float, peak: float, what: str, detail: str) -> None:
    ((doubt, figures),) = doubts(said(text), heard(seconds, peak))
    assert doubt.startswith(what)
    assert figures == detail


@pytest.mark.parametrize(
    ("text", "seconds", "peak"),
    [
        ("please hold the line", 0.7, 0.5),  # nobody speaks faster, but somebody may edit pauses away
        ("yes", 5.9, 0.5),
        ("five five five one two one two", 29.0, 0.002),
        ("我想查一下我的账户余额谢谢", 1.9, 0.5),
        ("3.141592653589793", 14.0, 0.5),
        ("", 29.0, 0.0),
    ],
)
def test_what_is_only_unusual_is_not(text: str, seconds: float, peak: float) -> None:
    assert list(doubts(said(text), heard(seconds, peak))) == []


def test_a_line_for_each_kind_of_doubt_names_the_first_three() -> None:
    items = [said("please hold the line", f"{number}.wav") for number in range(6)]
    facts = {item.id: heard(0.5) for item in items[:5]} | {"5.wav": heard(2.0, notes=(UNTOLD,))}
    rushed = ", ".join(f"{number}.wav (20 characters in 0.5 s)" for number in range(3))
    assert doubt_lines(items, facts) == [
        f"{rushed} and 2 more: more text than can be said in that time; is the sound cut off, or the text another's?",
        "5.wav: the file does not say how long it is, and is read for what is there",
    ]
