"""Recordings with a text beside each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_whisperq.speech.corpus import Corpus, load_corpus
from pytest_whisperq.speech.corpus.longform import load_long_form, whole
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import CorpusError

Said = Callable[[Corpus], dict[str, str]]


def test_text_and_labels_pair_whatever_the_case_and_composition_of_their_names(
    clips: Callable[..., Path], said: Said
) -> None:
    folder = clips("A.WAV", "deep/b.flac", "cafe\u0301.wav")
    (folder / "A.TXT").write_text("one")
    (folder / "deep/b.lab").write_text("two\nwords\n")
    (folder / "caf\u00e9.txt").write_text("three")
    (folder / "._A.WAV").write_bytes(b"Finder")
    (folder / ".DS_Store").write_bytes(b"Finder")
    corpus = load_corpus(folder)
    assert said(corpus) == {"A.WAV": "one", "deep/b.flac": "two words", "cafe\u0301.wav": "three"}
    assert corpus.notes == ()


SRT = """1
00:00:00,500 --> 00:00:01,500
<i>Hello</i> there &amp; welcome

2
00:00:01,500 --> 00:00:02,250
second
line
"""
VTT = """WEBVTT

NOTE made by hand

intro
00:00.500 --> 00:01.500 align:start
<v Anna>Hello there &amp; welcome</v>

00:00:01.500 --> 00:00:02.250
second
line
"""
LONG_GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "Anna - words"
        xmin = 0
        xmax = 3
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 3
            text = "Hello"
    item [2]:
        class = "IntervalTier"
        name = "utterances"
        xmin = 0
        xmax = 3
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.5
            text = "Hello there & welcome"
        intervals [3]:
            xmin = 1.5
            xmax = 2.25
            text = "second line"
"""
SHORT_GRID = """"ooTextFile"
"TextGrid"
0
3
<exists>
1
"IntervalTier"
"utterances"
0
3
2
0.5
1.5
"Hello there & welcome"
1.5
2.25
"second
line"
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [("call.srt", SRT), ("call.vtt", VTT), ("call.TextGrid", LONG_GRID), ("call.TextGrid", SHORT_GRID)],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_times_of_a_long_recording_make_utterances(
    clips: Callable[..., Path], name: str, content: str, encoding: str
) -> None:
    folder = clips("call.wav", seconds=3)
    (folder / name).write_text(content, encoding=encoding)
    first, second = load_corpus(folder).utterances
    assert (first.reference, first.audio.offset, first.audio.seconds) == ("Hello there & welcome", 0.5, 1.0)
    assert (second.reference, second.audio.offset, second.audio.seconds) == ("second line", 1.5, 0.75)
    assert first.cluster == second.cluster == "call.wav"


def test_several_tiers_ask_for_one_by_name(clips: Callable[..., Path]) -> None:
    folder = clips("call.wav", seconds=3)
    (folder / "call.TextGrid").write_text(LONG_GRID.replace("Anna - words", "remarks"))
    with pytest.raises(CorpusError, match=r"several tiers .*remarks, utterances\); name one with --whisperq-text-col"):
        load_corpus(folder)
    assert len(load_corpus(folder, choices=Choices(text_column="utterances")).utterances) == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("call.srt", "1\nhello\n", r"call\.srt:1: is no cue: its times are missing"),
        ("call.srt", "1\n00:00:02,000 --> 00:00:01,000\nx\n", r"call\.srt:2: a cue ends before it begins"),
        ("call.TextGrid", "Praat\n", r"call\.TextGrid: is not a TextGrid of Praat"),
        ("call.lab", "0 1200000 h#\n1200000 2400000 sh\n", r"call\.lab: holds labels of HTK"),
    ],
)
def test_a_text_that_cannot_be_read_is_named(clips: Callable[..., Path], name: str, content: str, says: str) -> None:
    folder = clips("call.wav")
    (folder / name).write_text(content)
    with pytest.raises(CorpusError, match=says):
        load_corpus(folder)


def test_two_texts_of_one_recording_are_refused_and_a_text_without_one_is_noted(clips: Callable[..., Path]) -> None:
    folder = clips("a.wav")
    (folder / "a.txt").write_text("one")
    (folder / "b.txt").write_text("two")
    assert "no recording lies beside 1 text file (b.txt)" in load_corpus(folder).notes[0]
    (folder / "a.srt").write_text(SRT)
    with pytest.raises(CorpusError, match=r"a\.wav: has several transcripts \(a\.srt, a\.txt\)"):
        load_corpus(folder)


def test_subtitles_of_long_recordings_are_a_long_form_corpus(clips: Callable[..., Path]) -> None:
    folder = clips("call.wav", seconds=3)
    (folder / "call.srt").write_text(SRT)
    (recording,) = whole(load_long_form(str(folder)))
    assert [item.reference for item in recording.utterances] == ["Hello there & welcome", "second line"]


def test_a_text_that_is_linked_from_elsewhere_is_read_where_the_root_says_so(clips: Callable[..., Path]) -> None:
    folder = clips("corpus/a.wav")
    (folder / "secret").write_text("one")
    (folder / "corpus/a.txt").symlink_to(folder / "secret")
    with pytest.raises(CorpusError, match=r"a\.wav: a\.txt is a link out of .*--whisperq-corpus-root"):
        load_corpus(folder / "corpus")
    (item,) = load_corpus(folder / "corpus", choices=Choices(root=folder.resolve())).utterances
    assert item.reference == "one"
