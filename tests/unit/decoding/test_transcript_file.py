"""Files of transcripts that several processes add to: what one has decoded the other one knows, and nothing is lost."""

import json
from pathlib import Path

import pytest

from pytest_whisperq.decoding.transcript_file import TranscriptFile, read
from pytest_whisperq.system.cache_layout import CacheLayout

HEADER = {"compute_type": "int8", "operations": ""}
KEY = "0123456789abcdef" * 2


def open_file(root: Path, told: list[str] | None = None, **header: str) -> TranscriptFile:
    layout = CacheLayout(root)
    told = [] if told is None else told
    return TranscriptFile(layout, layout.transcript_file(KEY), {**HEADER, **header}, told.append)


def rows(*clips: str) -> list[dict[str, object]]:
    return [{"clip": clip, "text": f"text of {clip}", "language": None, "tokens": []} for clip in clips]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return CacheLayout(tmp_path).transcript_file(KEY)


def write(root: Path, *clips: str) -> None:
    file = open_file(root)
    file.begin()
    file.add(rows(*clips))


def test_two_processes_add_to_one_file_and_learn_what_the_other_decoded(tmp_path: Path, path: Path) -> None:
    one, two = open_file(tmp_path), open_file(tmp_path)
    assert one.begin() == two.begin() == {}
    assert one.add(rows("a", "b")) == {}
    assert two.add(rows("c")) == {"a": ("text of a", None), "b": ("text of b", None)}
    assert one.add(rows("c", "d")) == {"c": ("text of c", None)}
    assert list(read(path).texts) == ["a", "b", "c", "d"]
    assert path.read_text().count('"clip"') == 4  # each once
    assert read(path).header == HEADER


def test_a_file_that_is_removed_or_made_anew_meanwhile_gets_what_is_added(tmp_path: Path, path: Path) -> None:
    file = open_file(tmp_path)
    file.begin()
    file.add(rows("a"))
    path.unlink()
    assert file.add(rows("b")) == {}
    assert list(read(path).texts) == ["b"]
    path.write_bytes(path.read_bytes()[:-20])  # a process was killed while it wrote
    other = open_file(tmp_path)
    assert other.begin() == {}
    assert file.add(rows("c")) == {}
    assert other.add(rows("b")) == {"c": ("text of c", None)}
    assert list(read(path).texts) == ["c", "b"]


def test_damage_is_told_once_and_sound_lines_stay(tmp_path: Path, path: Path) -> None:
    write(tmp_path, "a", "b")
    path.write_text(path.read_text().replace("text of a", "text of X"))
    told = list[str]()
    for _ in range(2):
        assert open_file(tmp_path, told).begin() == {"b": ("text of b", None)}
    assert told == ["1 of 3 lines"]


def test_what_executed_as_something_else_is_not_kept_beside(tmp_path: Path, path: Path) -> None:
    write(tmp_path, "a")
    assert open_file(tmp_path, compute_type="float32").begin() == {}
    assert json.loads(path.read_text().splitlines()[0])["compute_type"] == "float32"
