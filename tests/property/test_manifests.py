"""A manifest is either read as it was meant or refused with its line; nothing else comes out of any file."""

import csv
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_whisperq.speech.corpus import load_corpus, locations, rows
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import CorpusError

CLIPS = [f"clip {number}, é.wav" for number in range(4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings of `CLIPS`."""
    folder = tmp_path_factory.mktemp("manifests")
    for name in CLIPS:
        soundfile.write(folder / name, np.zeros(16), 16_000)
    return folder


spoken = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"), min_size=1).filter(str.strip)
label = st.text("abcdefgh -_0123", min_size=1).map(str.strip)
written = st.lists(
    st.tuples(spoken, st.sampled_from(["en", "de-AT", "PT_br"]), label, label), min_size=1, max_size=len(CLIPS)
)


@given(rows=written, kind=st.sampled_from(["csv", "jsonl"]))
def test_what_was_written_is_what_is_read(folder: Path, rows: list[tuple[str, ...]], kind: str) -> None:
    names = ("file_name", "text", "language", "voice", "cluster")
    table = [dict(zip(names, (clip, *row), strict=True)) for clip, row in zip(CLIPS, rows, strict=False)]
    path = folder / f"written.{kind}"
    if kind == "csv":
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(table)
        path.write_text(file.getvalue(), encoding="utf-8", newline="")
    else:
        path.write_text("\n".join(json.dumps(row) for row in table), encoding="utf-8")
    found = load_corpus(path).utterances
    assert [item.id for item in found] == CLIPS[: len(rows)]
    for item, (text, language, voice, cluster) in zip(found, rows, strict=True):
        assert item.reference == text.strip()
        assert item.language == language[:2].lower()
        assert dict(item.slices).get("voice", "") == voice
        assert item.cluster == cluster


NAMED = (
    *("a.wav", "sub/b.wav", "link.wav", "out.wav", "linked/b.wav", "away/c.wav", "gone.wav"),
    *("é.wav", "back\\slash.wav"),
)


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings, folders, and links to both, within and out of it."""
    around = tmp_path_factory.mktemp("linked")
    folder, away = around / "calls", around / "away"
    for place in (folder / "sub", away):
        place.mkdir(parents=True)
    decomposed = unicodedata.normalize("NFD", "é.wav")
    for path in (folder / "a.wav", folder / "sub" / "b.wav", away / "c.wav", folder / decomposed):
        path.touch()
    for link, target in {"link.wav": folder / "a.wav", "out.wav": away / "c.wav", "linked": folder / "sub"}.items():
        (folder / link).symlink_to(target)
    (folder / "away").symlink_to(away)
    (folder / "gone.wav").symlink_to("nowhere")
    return folder


@given(
    parts=st.lists(st.sampled_from([*NAMED, "..", ".", "", "calls", "sub", "away", "\0", "x" * 300]), max_size=4),
    separator=st.sampled_from(["/", "\\", "//"]),
    is_absolute=st.booleans(),
    is_wider=st.booleans(),
)
def test_the_short_way_to_a_recording_leads_where_the_long_one_does(
    linked: Path, parts: list[str], separator: str, *, is_absolute: bool, is_wider: bool
) -> None:
    name = separator.join([str(linked), *parts] if is_absolute else parts)
    choices = Choices(root=linked.parent if is_wider else None)

    def read() -> object:
        locations.forget_folders()
        try:
            return rows.utterance({"file_name": name, "text": "yes"}, where="", root=linked, choices=choices)
        except CorpusError as error:
            return str(error)

    found = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locations, "_is_regular", lambda path: False)
        assert read() == found


def check(path: Path) -> None:
    """Load a manifest that may be anything."""
    try:
        corpus = load_corpus(path)
    except CorpusError as error:
        message = str(error)
    else:
        assert corpus.utterances
        assert len({item.id for item in corpus.utterances}) == len(corpus.utterances)
        assert all(item.reference or not item.is_speech for item in corpus.utterances)
        assert all(item.audio.path is None or item.audio.path.parent == path.parent for item in corpus.utterances)
        return
    assert re.match(rf"{re.escape(str(path))}:\d+: .", message) or "holds no utterance" in message


KEYS = st.sampled_from(
    [
        *("file_name", "audio", "path", "bytes", "array", "sampling_rate", "text", "kind", "language", "cluster"),
        *("offset", "duration", "sentence"),
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(CLIPS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | KEYS, inner, max_size=3),
    max_leaves=6,
)
nearly = st.fixed_dictionaries(
    {"file_name": st.sampled_from(CLIPS) | anything, "text": st.text() | anything},
    optional={
        "kind": st.just("nonspeech") | anything,
        "language": anything,
        "cluster": anything,
        "offset": st.floats() | anything,
        "duration": st.floats() | anything,
        "audio": anything,
    },
)


@given(lines=st.lists(nearly | anything, max_size=4), junk=st.text(max_size=20))
@example(lines=[{"file_name": "a\0", "text": "x"}], junk="")
@example(lines=[{"file_name": CLIPS[0], "text": "x", "offset": 10**400}], junk="")
@example(lines=[{"audio": {"bytes": 10**15}, "text": "x"}], junk="")
@example(lines=[], junk="[" * 50_000)
def test_json_lines_are_a_corpus_or_an_error_with_a_line(folder: Path, lines: list[Any], junk: str) -> None:
    path = folder / "junk.jsonl"
    text = "\n".join([*(json.dumps(line) for line in lines), junk])
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    check(path)


@given(data=st.binary(max_size=60), known=st.booleans())
def test_csv_bytes_are_a_corpus_or_an_error_with_a_line(folder: Path, data: bytes, known: bool) -> None:
    path = folder / "junk.csv"
    path.write_bytes(b'file_name,text\n"clip 0, \xc3\xa9.wav",fine\n' * known + data)
    check(path)


@given(
    table=st.lists(st.lists(st.sampled_from([*CLIPS, "", "file_name", "text", "a,b", '"', "\n", "x"]), max_size=4)),
    separator=st.sampled_from([",", ";", "\t"]),
)
def test_csv_tables_are_a_corpus_or_an_error_with_a_line(folder: Path, table: list[list[str]], separator: str) -> None:
    path = folder / "table.csv"
    body = "\n".join(separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in table)
    path.write_text(f"file_name,text\n{body}", encoding="utf-8")
    check(path)
