"""What a corpus contradicts itself in is found on the disk as it would be found in memory."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.speech import consistency, normalizers
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.consistency import inconsistencies
from pytest_whisperq.speech.corpus import Corpus, Utterance, categories
from pytest_whisperq.speech.numbers import written_numbers

BASIC = normalizers.get("whisper-basic")
VALUES = st.sampled_from(
    ["", "Anna", "anna", "ANNA_", "b", "B", "ben", " ben", "\udc80x", "ﬁn", "fin", "ä", "Ä", "1", "2"]
)
columns = st.dictionaries(st.sampled_from(["cluster", "line", "room"]), VALUES).map(lambda row: tuple(row.items()))
tenths = st.integers(0, 40).map(lambda number: number / 10)
texts = st.one_of(
    st.sampled_from(
        ["es waren zwanzig", "es waren 20", "es waren 21", "einundzwanzig und 13", "dreizehn", "020 und 99"]
    ),
    st.builds(lambda letter, length: letter * length, st.sampled_from("abcdef"), st.sampled_from([95, 111, 112, 112])),
)
plans = st.fixed_dictionaries(
    {
        "file": st.sampled_from([None, "a.wav", "b.wav", "\udc80.wav"]),
        "offset": tenths,
        "seconds": st.one_of(st.none(), tenths),
        "reference": texts,
        "language": st.sampled_from(["de", "nl", None]),
        "cluster": VALUES,
        "slices": columns,
        "kind": st.sampled_from(["", "", "", "nonspeech"]),
    }
)


def corpus_of(rows: Sequence[dict[str, object]]) -> Corpus:
    items = []
    for number, about in enumerate(rows):
        sound = {name: about[name] for name in ("file", "offset", "seconds")}
        rest = {name: value for name, value in about.items() if name not in sound}
        audio = AudioSource(label=f"{number}.wav", **sound)  # type: ignore[arg-type]
        items.append(Utterance(id=f"{number}.wav", where=f"m:{number}", audio=audio, **rest))  # type: ignore[arg-type]
    return Corpus(name="c", utterances=tuple(items))


@pytest.mark.parametrize("held", [2, 1 << 14])
@given(rows=st.lists(plans, min_size=1, max_size=25))
def test_nothing_else_is_found_on_the_disk(held: int, rows: list[dict[str, object]]) -> None:
    corpus = corpus_of(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(consistency, "HELD", held)
        found = [(item and item.id, message.split("; ")[0]) for item, message in inconsistencies(corpus, BASIC)]
    assert found == [*plain_overlaps(corpus), *plain_spellings(corpus), *plain_cut(corpus), *plain_styles(corpus)]


Plain = Iterator[tuple[str | None, str]]


def plain_overlaps(corpus: Corpus) -> Plain:
    spans = defaultdict(list)
    for item in corpus.utterances:
        if item.audio.file is not None and item.audio.seconds is not None:
            spans[item.audio.file].append(item)
    for items in spans.values():
        last, end = None, 0.0
        for item in sorted(items, key=lambda one: one.audio.offset):
            stop = item.audio.offset + item.audio.seconds
            shared = min(end, stop) - item.audio.offset
            if last is not None and shared > 0.5:
                what = f"{item.id} shares {shared:.2f} s of its recording with {last.id} ({last.where})"
                yield item.id, f"{what}: what is said there is heard in both"
            if stop > end:
                last, end = item, stop


def plain_spellings(corpus: Corpus) -> Plain:
    counts = {name: Counter() for name in ("cluster", *categories(corpus.utterances))}
    for item in corpus.utterances:
        for name, value in (("cluster", item.cluster), *item.slices):
            if value and name in counts and (name != "cluster" or value == item.cluster):
                counts[name][value] += 1
    for name, values in counts.items():
        spellings = defaultdict(list)
        for value in sorted(values):
            spellings[" ".join(normalize("NFKC", value).casefold().replace("_", " ").split())].append(value)
        twice = [alike for plain, alike in spellings.items() if len(alike) > 1 and sum(map(str.isalpha, plain)) > 1]
        if twice:
            listed = " and ".join(f"{value!r} ({values[value]})" for value in twice[0])
            more = f", and {len(twice) - 1} more so" if len(twice) > 1 else ""
            yield None, f"the column {name} has {listed} in two spellings{more}: they count as two groups"


def plain_cut(corpus: Corpus) -> Plain:
    lengths = Counter(map(len, {item.reference for item in corpus.speech}))
    longest = max(lengths, default=0)
    below = sum(lengths[longest - step] for step in range(1, 11)) / 10
    if longest >= 100 and lengths[longest] >= max(3, 5 * below):
        item = next(one for one in corpus.speech if len(one.reference) == longest)
        what = f"{lengths[longest]} transcripts, {item.id} the first, have {longest} characters each and none has more"
        yield item.id, f"{what}: they were cut there"


def plain_styles(corpus: Corpus) -> Plain:
    rows = defaultdict(dict)
    for item in corpus.speech:
        for number, is_word in written_numbers(item.reference, item.language):
            rows[item.language or ""].setdefault((number, is_word), item)
    for found in rows.values():
        for number in sorted({number for number, is_word in found if is_word}, key=int):
            digits, words = found.get((number, False)), found[number, True]
            if digits is not None and number not in "".join(BASIC(words.reference, words.language).split()):
                yield words.id, f"{words.id} writes {number} in words, and {digits.id} ({digits.where}) in digits"
                break


@given(st.lists(plans, min_size=1, max_size=25), st.sampled_from([0.1, 0.5, 0.9]))
def test_categories_are_columns_with_fewer_values_than_rows(rows: list[dict[str, object]], share: float) -> None:
    corpus = corpus_of(rows)
    whole = defaultdict(list)
    for item in corpus.utterances:
        for name, value in item.slices:
            whole[name].append(value)
    assert categories(corpus.utterances, share) == {
        name: set(values)
        for name, values in whole.items()
        if (
            1 < len(set(values)) <= max(2, share * len(rows))
            if len(values) == len(rows)
            else len(set(values)) <= share * len(values)
        )
    }
