"""What is wanted of a corpus, how much of it is known, and when that is enough."""

from collections.abc import Sequence
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.decoding.transcript_file import Stored
from pytest_whisperq.decoding.wanted import KnownTexts, Leading, Wanted, clip_id, sound_of
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.clip_index import ClipFacts
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.system import on_disk

SOUNDS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12)


def wanted(sounds: Sequence[str], languages: Sequence[str | None] = ()) -> Wanted:
    """A corpus of clips with these sounds."""
    told = [*languages, *("en" for _ in sounds)]
    items = tuple(
        Utterance(id=str(place), where="", audio=AudioSource(label=sound), reference="x", language=told[place])
        for place, sound in enumerate(sounds)
    )
    facts = {item.id: ClipFacts(digest=item.audio.label, seconds=1.0, peak=1.0) for item in items}
    return Wanted.of(Corpus(name="x", utterances=items), facts)


def said(*sounds: str) -> dict[str, tuple[str, str | None]]:
    return {f"{sound}:en": (f"text of {sound}", "en") for sound in sounds}


def test_one_sound_in_two_languages_is_two_transcripts() -> None:
    asked = wanted("aab", ["en", None, "de"])
    assert list(asked.clips) == ["a:en", "a:detect", "b:de"]
    assert [sound_of(clip) for clip in asked.clips] == ["a", "a", "b"]


def test_a_sound_may_have_a_colon_in_its_name() -> None:
    item = Utterance(id="x", where="", audio=AudioSource(label="x"), reference="x")
    clip = clip_id(item, {"x": ClipFacts(digest="call:7", seconds=1.0, peak=1.0)})
    assert sound_of(clip) == "call:7"


@given(SOUNDS, st.sets(st.sampled_from("abcdef")))
def test_what_is_not_known_is_missing_once(sounds: list[str], known: set[str]) -> None:
    asked = wanted(sounds)
    missing = [asked.clips[place] for place in asked.missing(clip in said(*known) for clip in asked.clips)]
    assert missing == list(dict.fromkeys(f"{sound}:en" for sound in sounds if sound not in known))
    assert all((f"{sound}:en" in asked.names) == (sound in sounds) for sound in "abcdef")


@given(SOUNDS, st.sets(st.sampled_from("abcdef")), st.integers(0, 3))
def test_what_comes_is_known_beside_what_was_there(sounds: list[str], stored: set[str], few: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_disk, "FEW", few)
        known = KnownTexts(said(*stored))
        for sound in sounds:
            known.add(said(sound))
        for sound in "abcdef":
            assert (f"{sound}:en" in known) == (sound in stored or sound in sounds)
            if f"{sound}:en" in known:
                assert known[f"{sound}:en"] == (f"text of {sound}", "en")


def known(*sounds: str) -> KnownTexts:
    return KnownTexts(said(*sounds))


def test_what_is_known_is_counted_up_to_the_first_gap() -> None:
    leading = Leading(["a:en", "b:en", "c:en"], None)
    assert not leading.suffices(known("a", "c"))
    assert leading.suffices(known("a", "b", "c"))


def test_the_first_texts_may_be_enough() -> None:
    asked: list[list[str]] = []

    def enough(texts: Sequence[str]) -> bool:
        asked.append(list(texts))
        return len(texts) == 2

    leading = Leading(["a:en", "b:en", "c:en"], enough)
    assert not leading.suffices(known("a"))
    assert leading.suffices(known("a", "b"))
    assert asked == [["text of a"], ["text of a", "text of b"]]


@given(SOUNDS, st.sets(st.sampled_from("abcdef")), st.integers(0, 20))
def test_what_a_file_says_is_in_the_order_of_the_corpus(sounds: list[str], stored: set[str], few: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_disk, "FEW", few)
        heard = wanted(sounds).heard(Stored(texts=said(*stored)))
        assert list(heard.texts) == [f"text of {sound}" if sound in stored else None for sound in sounds]
        assert list(heard.languages) == ["en" if sound in stored else None for sound in sounds]
        texts, languages = heard.leading
        assert list(texts) == [f"text of {sound}" for sound in takewhile(stored.__contains__, sounds)]
        assert (len(languages), heard.count) == (len(texts), len(texts))
        assert heard.suffices(None) == stored.issuperset(sounds)
        assert heard.suffices(lambda texts: len(texts) > 1) == (heard.count > 1 or stored.issuperset(sounds))
