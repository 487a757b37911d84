"""What is known of where clips are is a shortcut: with it, and whatever is wrong with it, the same texts are read."""

from collections.abc import Collection
from pathlib import Path

import pytest

from pytest_whisperq.decoding import transcript_file, transcript_places
from pytest_whisperq.decoding.transcript_file import Stored, TranscriptFile, read
from pytest_whisperq.decoding.transcript_places import places
from pytest_whisperq.models import cache
from pytest_whisperq.system.cache_layout import CacheLayout, places_of
from pytest_whisperq.system.keys import Names
from pytest_whisperq.system.sealed import SealedFile, seal

HEADER = {"compute_type": "int8", "operations": "", "model": "scripted:int8 of calls", "artifact": "a" * 32}
KEY = "0123456789abcdef" * 2
CLIPS = [f"clip {number}" for number in range(40)]


def row(clip: str, text: str = "") -> dict[str, object]:
    return {"clip": clip, "text": text or f"text of {clip}", "language": "en", "tokens": []}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of forty clips, of which it is known where they are, seven in a line."""
    monkeypatch.setattr(transcript_places, "_AT_ONCE", 7)
    monkeypatch.setattr(transcript_file, "LEAST", 10)
    layout = CacheLayout(tmp_path)
    made = layout.transcript_file(KEY)
    file = TranscriptFile(layout, made, HEADER, lambda damage: None)
    file.begin()
    file.add([row(clip) for clip in CLIPS])
    assert places(made) is None
    read(made, Names({"clip 3"}))
    assert places(made) is not None
    return made


@pytest.fixture
def unread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is not read through any more."""

    def refuse(name: Path, wanted: Collection[str] | None) -> Stored:
        pytest.fail(f"{name} was read through for {wanted}, {path} is not to be")

    monkeypatch.setattr(transcript_file, "_read_through", refuse)


def append(path: Path, *rows: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(seal(one, path.name) for one in rows)


@pytest.mark.usefixtures("unread")
def test_clips_are_found_without_reading_the_file(path: Path) -> None:
    found = read(path, Names({"clip 7", "clip 31", "none"}))
    assert found.texts == {"clip 7": ("text of clip 7", "en"), "clip 31": ("text of clip 31", "en")}
    assert found.header == HEADER
    assert (found.damage, found.is_cut) == ("", False)
    assert read(path, Names(CLIPS)).texts == {clip: (f"text of {clip}", "en") for clip in CLIPS}


@pytest.mark.usefixtures("unread")
def test_what_was_added_since_is_found_and_placed_in_its_turn(path: Path) -> None:
    append(path, row("clip 7", "said again"), row("more"))
    assert read(path, Names({"clip 7", "more"})).texts == {
        "clip 7": ("said again", "en"),
        "more": ("text of more", "en"),
    }
    before = places(path)
    append(path, *(row(f"added {number}") for number in range(10)))
    assert read(path, Names({"added 9"})).texts == {"added 9": ("text of added 9", "en")}
    after = places(path)
    assert before is not None
    assert after is not None
    assert (before.count, after.count) == (40, 52)
    assert read(path, Names({"clip 7", "clip 8"})).texts == {
        "clip 7": ("said again", "en"),
        "clip 8": ("text of clip 8", "en"),
    }


def test_a_last_line_without_its_end_is_told(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(seal(row("more"), path.name)[:-5])
    found = read(path, Names({"clip 7", "more"}))
    assert (list(found.texts), found.is_cut, found.damage) == (["clip 7"], True, "")


def test_what_is_lost_with_a_last_line_that_has_no_end_is_told(path: Path) -> None:
    """The file is written anew then, without its damaged lines, whoever wants them."""
    text = path.read_text("utf-8").replace('text of clip 7"', 'text of nobody"')
    path.write_text(text + seal(row("more"), path.name)[:-5], "utf-8")
    told = list[str]()
    file = TranscriptFile(CacheLayout(path.parents[1]), path, HEADER, told.append)
    assert list(file.begin(Names({"clip 8"}))) == ["clip 8"]
    assert told == ["1 of 41 lines"]


@pytest.mark.parametrize("clip", ["clip 7", "clip 39"])
def test_a_damaged_line_that_is_wanted_is_told(path: Path, clip: str) -> None:
    path.write_text(path.read_text("utf-8").replace(f'text of {clip}"', 'text of nobody"'), "utf-8")
    found = read(path, Names({clip, "clip 8"}))
    assert found.texts == {"clip 8": ("text of clip 8", "en")}
    assert found.damage == "1 of 41 lines"


def test_damage_in_what_was_added_is_told_of_all_lines(path: Path) -> None:
    append(path, row("more"))
    path.write_text(path.read_text("utf-8").replace("text of more", "text of less"), "utf-8")
    found = read(path, Names({"clip 8", "more"}))
    assert (list(found.texts), found.damage) == (["clip 8"], "1 of 42 lines")


@pytest.mark.parametrize("kept", [CLIPS[1:], CLIPS[:20], list(reversed(CLIPS))])
def test_places_of_another_file_are_not_used(path: Path, kept: list[str]) -> None:
    layout = CacheLayout(path.parents[1])
    known = places_of(path).read_bytes()
    path.unlink()
    file = TranscriptFile(layout, path, HEADER, lambda damage: None)
    file.begin()
    file.add([row(clip, f"other text of {clip}") for clip in kept])
    places_of(path).write_bytes(known)
    found = read(path, Names(CLIPS))
    assert found.texts == {clip: (f"other text of {clip}", "en") for clip in kept}


def test_places_of_a_file_with_lines_as_long_are_not_used(path: Path) -> None:
    known = places_of(path).read_bytes()
    path.write_text("".join(seal(one, path.name) for one in (HEADER, *(row(f"clap{clip[4:]}") for clip in CLIPS))))
    places_of(path).write_bytes(known)
    assert read(path, Names({"clap 7"})).texts == {"clap 7": ("text of clap 7", "en")}


@pytest.mark.parametrize("wrong", [{"keys": ""}, {"starts": ""}, {"keys": "", "starts": ""}])
def test_places_that_are_not_as_many_as_they_say_are_made_anew(path: Path, wrong: dict[str, str]) -> None:
    sound = places_of(path).read_bytes()
    head, first, *others = list(SealedFile(places_of(path)))
    rows = [head, {**first, **wrong}, *others]
    places_of(path).write_text("".join(seal(one, places_of(path).name) for one in rows), "utf-8")
    assert places(path) is None
    assert read(path, Names({"clip 7"})).texts == {"clip 7": ("text of clip 7", "en")}
    assert places_of(path).read_bytes() == sound


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff\xfe", b"[1]"])
def test_damaged_places_are_made_anew(path: Path, damage: bytes) -> None:
    sound = places_of(path).read_bytes()
    places_of(path).write_bytes(damage)
    assert read(path, Names({"clip 7"})).texts == {"clip 7": ("text of clip 7", "en")}
    assert places_of(path).read_bytes() == sound


def test_places_that_cannot_be_written_are_done_without(path: Path) -> None:
    places_of(path).unlink()
    places_of(path).parent.rmdir()
    places_of(path).parent.write_text("no folder", "utf-8")
    assert read(path, Names({"clip 7"})).texts == {"clip 7": ("text of clip 7", "en")}


def test_of_another_byte_order_they_are_not_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.byteorder", "other")
    assert places(path) is None
    assert read(path, Names({"clip 7"})).texts == {"clip 7": ("text of clip 7", "en")}


def test_of_few_lines_no_places_are_noted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places_of(path).unlink()
    monkeypatch.setattr(transcript_file, "LEAST", 41)
    read(path, Names({"clip 7"}))
    assert places(path) is None


def test_they_go_with_the_transcripts_they_are_of(path: Path) -> None:
    root = path.parents[1]
    (root / "artifacts" / str(HEADER["artifact"])).mkdir(parents=True)
    found = {entry.path: entry for entry in cache.entries(root)}
    assert found[places_of(path)].problem == ""
    path.unlink()
    assert [entry.path for entry in cache.prune(root)][-1] == places_of(path)
    assert not places_of(path).exists()
