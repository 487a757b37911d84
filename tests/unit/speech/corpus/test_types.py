"""A corpus says the same of its utterances, in memory or on the disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import NONSPEECH, Corpus, Utterance, keep_utterances
from pytest_whisperq.system import on_disk

SOURCES = st.builds(
    AudioSource,
    label=st.text(),
    file=st.none() | st.text(),
    data=st.none() | st.binary(),
    offset=st.floats(0, 10),
    seconds=st.none() | st.floats(0, 10),
)
UTTERANCES = st.builds(
    Utterance,
    id=st.text(),
    where=st.text(),
    audio=SOURCES,
    reference=st.text(),
    language=st.sampled_from([None, "en", "de"]),
    kind=st.sampled_from(["", NONSPEECH]),
    cluster=st.text(),
    slices=st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
    is_draft=st.booleans(),
    translation=st.text(),
)


def _with_bytes(item: Utterance) -> Utterance:
    data = item.audio.data
    return item._replace(audio=item.audio._replace(data=None if data is None else bytes(data)))


@given(st.lists(UTTERANCES, min_size=3, max_size=40))
def test_utterances_on_the_disk_are_what_they_were(items: list[Utterance]) -> None:
    held = Corpus(name="calls", utterances=tuple(items))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_disk, "FEW", 2)
        read = Corpus(name="calls", utterances=keep_utterances(items))
        assert not isinstance(read.utterances, tuple)
        assert [_with_bytes(item) for item in read.utterances] == items
        assert [type(item.audio) for item in read.utterances] == [AudioSource] * len(items)
        assert tuple(map(_with_bytes, read.speech)) == held.speech == tuple(item for item in items if item.is_speech)
        assert tuple(map(_with_bytes, read.drafts)) == held.drafts == tuple(item for item in items if item.is_draft)
        assert read.languages == held.languages == {item.language for item in held.speech}
        assert read.stated_languages == held.stated_languages == {item.language for item in items} - {None}
        assert [_with_bytes(item) for item in read.where(lambda item: bool(item.cluster))] == [
            item for item in items if item.cluster
        ]


def test_recordings_in_a_table_are_on_the_disk_however_few_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "LONG", 1000)
    items = [
        Utterance(id=str(number), where="", audio=AudioSource(label="x", data=bytes(600)), reference="x")
        for number in range(3)
    ]
    kept = keep_utterances(items)
    assert not isinstance(kept, tuple)
    assert [_with_bytes(item) for item in kept] == items
    assert [item.audio.open().read() for item in kept] == [bytes(600)] * 3


def test_they_are_there_once_however_many_sequences_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "FEW", 1)
    audio = AudioSource(label="x", data=bytes(600))
    items = [Utterance(id=str(number), where="", audio=audio, reference="x") for number in range(3)]
    kept = keep_utterances(items)
    again = keep_utterances(item._replace(language="en") for item in kept)
    assert [item.audio for item in again] == [item.audio for item in kept]


def test_a_recording_is_not_printed() -> None:
    assert repr(AudioSource(label="x.wav", data=bytes(10**6), offset=1.5)) == (
        "AudioSource(label='x.wav', file=None, offset=1.5, seconds=None)"
    )
