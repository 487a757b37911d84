"""What is kept of recordings answers as if all of them were there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytest_whisperq.measuring.intervals import in_one_place, judged_by
from pytest_whisperq.measuring.sounds import Sounds
from pytest_whisperq.speech.audio import AudioSource, Recording
from pytest_whisperq.speech.clip_index import ClipFacts, facts_of
from pytest_whisperq.speech.corpus import Corpus, Utterance
from pytest_whisperq.speech.corpus.types import NONSPEECH

NOISE = Recording(samples=np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32))
rows = st.tuples(st.sampled_from(["", "anna", "ben", "cem", "dana", "eva"]), st.integers(0, 9), st.booleans())


def utterance(number: int, cluster: str, *, is_speech: bool) -> Utterance:
    audio = AudioSource(label=f"{number}.wav")
    kind = "" if is_speech else NONSPEECH
    return Utterance(id=f"{number}.wav", where="", audio=audio, reference="a", cluster=cluster, kind=kind)


@given(st.lists(rows, min_size=1, max_size=30))
def test_groups_are_counted_as_bounds_are_drawn(chosen: list[tuple[str, int, bool]]) -> None:
    items = [utterance(number, name, is_speech=spoken) for number, (name, _, spoken) in enumerate(chosen)]
    digests = [f"{sound:064x}" for _, sound, _ in chosen]
    sounds = Sounds()
    for place, (item, digest) in enumerate(zip(items, digests, strict=True)):
        sounds.add(place + 1, item, NOISE, ClipFacts(digest=digest, seconds=0.25, peak=0.1))
    pairs = [(item.is_speech, item.cluster or digest, digest) for item, digest in zip(items, digests, strict=True)]
    (names, clips), (other_names, other_clips) = (
        ([name for kind, name, _ in pairs if kind is which], [clip for kind, _, clip in pairs if kind is which])
        for which in (True, False)
    )
    groups, few = judged_by(names, clips)
    others = other_clips if few else in_one_place(other_names, other_clips)
    first = items[0]._replace(id="unread.wav", cluster="unread")  # could not be read, so that places are not numbers
    corpus = Corpus(name="c", utterances=(first, *items))
    assert sounds.count_groups(corpus) == (len(set(groups)), len({*groups, *others}))


def test_repeats_are_told_by_their_samples_and_copies_by_their_sound() -> None:
    random = np.random.default_rng(1)
    one, other = (random.normal(0, 0.1, 16_000).astype(np.float32) for _ in range(2))
    sounds = Sounds()
    heard = [(one, True), (other, False), (one, True), (0.5 * one, True), (other, True), (0.5 * other, False)]
    for place, (samples, is_speech) in enumerate(heard):
        recording = Recording(samples=samples)
        sounds.add(place, utterance(place, "", is_speech=is_speech), recording, facts_of(recording))
    assert list(sounds.repeats()) == [(2, 0), (4, 1)]
    assert list(sounds.alike(0.95)) == [(3, 0)]  # and what is no speech has no copies
