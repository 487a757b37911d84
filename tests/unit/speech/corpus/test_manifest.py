"""Manifests and folders of recordings: what is understood, and that every refusal names file, line and remedy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import CorpusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the recordings a.wav, b.wav and c,d.wav."""
    for name in ("a.wav", "b.wav", "c,d.wav"):
        soundfile.write(tmp_path / name, np.full(160, 0.1), 16_000)
    return tmp_path


def jsonl(folder: Path, *rows: Any, name: str = "metadata.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def refused(location: Path | str) -> str:
    with pytest.raises(CorpusError) as caught:
        load_corpus(location)
    return str(caught.value)


def test_a_csv_with_quotes_spaces_in_the_header_and_a_byte_order_mark(folder: Path) -> None:
    text = (
        '\ufefffile_name, text,language,cluster,voice\r\na.wav,"one, two",en-US,k,anna\r\n\r\n"c,d.wav",trois,FR,,\r\n'
    )
    (folder / "metadata.csv").write_text(text, encoding="utf-8", newline="")
    first, second = load_corpus(folder).utterances
    assert (first.id, first.reference, first.language, first.cluster) == ("a.wav", "one, two", "en", "k")
    assert first.where == f"{folder / 'metadata.csv'}:2"
    assert first.slices == (("language", "en-US"), ("voice", "anna"))
    assert (second.id, second.reference, second.language, second.cluster) == ("c,d.wav", "trois", "fr", "")
    assert second.where.endswith("metadata.csv:4")


def test_a_column_of_translations_is_none_of_the_groups(folder: Path) -> None:
    rows = [{"file_name": "a.wav", "text": "hallo", "Translation": " hello "}, {"file_name": "b.wav", "text": "ja"}]
    first, second = load_corpus(jsonl(folder, *rows)).utterances
    assert (first.translation, second.translation) == ("hello", "")
    assert (first.slices, first.is_translated, second.is_translated) == ((), True, False)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "hallo", "translation": {"en": "hello"}}, "1: the translation must be text .*call the column someth"),
        ({"text": "", "kind": "nonspeech", "translation": "hi"}, "kind=nonspeech but the translation is 'hi'; clear"),
    ],
)
def test_a_translation_that_cannot_be_meant_is_refused(folder: Path, row: dict[str, Any], says: str) -> None:
    with pytest.raises(CorpusError, match=says):
        load_corpus(jsonl(folder, {"file_name": "a.wav", **row}))


@pytest.mark.parametrize("audio_key", ["file_name", "audio_filepath", "audio", "path", "file"])
@pytest.mark.parametrize("text_key", ["text", "transcription", "sentence", "transcript"])
def test_hugging_face_and_nemo_keys(folder: Path, audio_key: str, text_key: str) -> None:
    path = jsonl(folder, {audio_key: "a.wav", text_key: " hallo "}, name="manifest.json")
    (item,) = load_corpus(path).utterances
    assert (item.audio.path, item.reference) == (folder / "a.wav", "hallo")


def test_nemo_spans_are_cut_and_told_apart_to_the_millisecond(folder: Path) -> None:
    rows = [{"file_name": "a.wav", "text": "x", "offset": at, "duration": 1.5} for at in (3600.251, 3600.254)]
    first, second = load_corpus(jsonl(folder, *rows)).utterances
    assert (first.id, second.id) == ("a.wav@3600.251", "a.wav@3600.254")
    assert (first.audio.offset, first.audio.seconds) == (3600.251, 1.5)


def test_a_duration_alone_describes_the_file_and_cuts_nothing(folder: Path) -> None:
    (item,) = load_corpus(jsonl(folder, {"file_name": "a.wav", "text": "x", "duration": 1.5})).utterances
    assert item.audio.seconds is None


def test_a_cluster_named_zero_is_a_cluster(folder: Path) -> None:
    rows = [{"file_name": name, "text": "x", "cluster": 0} for name in ("a.wav", "b.wav")]
    assert [item.cluster for item in load_corpus(jsonl(folder, *rows)).utterances] == ["0", "0"]


def test_nonspeech_may_have_an_empty_reference_and_counts_for_no_word(folder: Path) -> None:
    rows = [{"file_name": "a.wav", "text": None, "kind": "nonspeech "}, {"file_name": "b.wav", "text": "x"}]
    corpus = load_corpus(jsonl(folder, *rows))
    assert [item.is_speech for item in corpus.utterances] == [False, True]
    assert [item.id for item in corpus.speech] == ["b.wav"]


def test_languages_are_those_spoken(folder: Path) -> None:
    rows = [
        {"file_name": "a.wav", "text": "", "kind": "nonspeech", "language": "xx"},
        {"file_name": "b.wav", "text": "x", "language": "pt_BR"},
        {"file_name": "c,d.wav", "text": "x"},
    ]
    assert load_corpus(jsonl(folder, *rows)).languages == {"pt", None}


GOOD = {"file_name": "b.wav", "text": "fine"}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"file_name": "a.wav", "text": " "}, "empty transcript for a.wav; write what is said, or set kind=nonspeech"),
        ({"file_name": "a.wav", "text": "x", "kind": "nonspeech"}, "kind=nonspeech but the transcript is 'x'"),
        ({"file_name": "a.wav"}, "has no transcript; its columns are: file_name; keep exactly one of text, "),
        ({"file_name": "a.wav", "text": "x", "sentence": "y"}, "several columns that could hold the transcript"),
        ({"text": "x"}, "has no audio file; its columns are: text; keep exactly one of file_name, "),
        ({"file_name": "a.wav", "text": 5}, "the transcript must be text (got 5, a int)"),
        ({"file_name": "", "text": "x"}, "names no audio file"),
        ({"file_name": "z.wav", "text": "x"}, "the audio file 'z.wav' does not exist in"),
        ({"file_name": "../a.wav", "text": "x"}, "lies outside the corpus folder"),
        ({"file_name": "/etc/passwd", "text": "x"}, "lies outside the corpus folder"),
        ({"file_name": "a\0.wav", "text": "x"}, "cannot be a file name"),
        ({"file_name": "a" * 300, "text": "x"}, "cannot be a file name"),
        ({"file_name": "\ud800.wav", "text": "x"}, "cannot be a file name"),
        ({"file_name": "b.wav", "text": "again"}, "b.wav is listed twice, first at"),
        ({"file_name": "a.wav", "text": "x", "offset": "soon"}, "offset must be a number of seconds (got 'soon')"),
        ({"file_name": "a.wav", "text": "x", "offset": -1}, "offset must be a number of seconds, 0 or more"),
        ({"file_name": "a.wav", "text": "x", "offset": 10**400}, "offset must be a number of seconds"),
        ({"file_name": "a.wav", "text": "x", "offset": 0, "duration": "NaN"}, "duration must be a number of seconds"),
        ({"audio": {"bytes": "UklGRg=="}, "text": "x"}, "audio bytes must be bytes (got a str)"),
        ({"audio": {"array": "abc", "sampling_rate": 1}, "text": "x"}, "the audio array cannot be used"),
        ({"audio": {"array": [0.1]}, "text": "x"}, "needs its sampling_rate"),
        ({"audio": {"path": ["a.wav"]}, "text": "x"}, "names no audio file"),
        ("{'file_name': 'a.wav'}", "is not valid JSON (Expecting property name"),
        ('["a.wav", "x"]', "must be a JSON object (got list)"),
        ("[" * 100_000, "is not valid JSON"),
        ("1" * 5_000, "is not valid JSON"),
    ],
)
def test_a_bad_json_line_is_named_with_what_to_do(folder: Path, bad: Any, says: str) -> None:
    path = jsonl(folder, GOOD, "", bad)
    message = refused(path)
    assert message.startswith(f"{path}:3: ")
    assert says in message


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (
            "file_name,text\na.wav,one, two\n",
            2,
            "has more fields than the header's 2 (file_name, text); put text that contains a comma",
        ),
        (
            "file_name,text,language\na.wav,one,en\nb.wav,two\n",
            3,
            "has fewer fields than the header's 3 (file_name, text, language)",
        ),
        ("file_name,text, text\na.wav,one,two\n", 1, "names a column twice"),
        ('file_name,text\na.wav,"one" two\n', 2, "is not valid CSV"),
        ('file_name,text\na.wav,"never closed\n', 2, "is not valid CSV"),
        ("name,words\na.wav,one\n", 2, "has no transcript; its columns are: name, words; keep exactly one of"),
    ],
)
def test_a_bad_csv_line_is_named_with_what_to_do(folder: Path, text: str, line: int, says: str) -> None:
    path = folder / "metadata.csv"
    path.write_text(text, encoding="utf-8")
    message = refused(folder)
    assert message.startswith(f"{path}:{line}: ")
    assert says in message


def test_text_that_is_not_utf8_is_refused_with_its_line(folder: Path) -> None:
    (folder / "metadata.csv").write_bytes(b"file_name,text\na.wav,one\nb.wav,caf\xe9\n")
    assert refused(folder) == f"{folder / 'metadata.csv'}:3: is not UTF-8 text; save the file as UTF-8"


@pytest.mark.parametrize(("name", "content"), [("m.csv", ""), ("m.csv", "file_name,text\n"), ("m.jsonl", "\n\n")])
def test_an_empty_manifest_is_never_a_corpus(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    assert "holds no utterance; a gate over nothing cannot pass" in refused(folder / name)


def test_an_empty_folder_is_never_a_corpus(tmp_path: Path) -> None:
    assert "holds no utterance" in refused(tmp_path)


def test_two_manifests_in_one_folder_are_refused(folder: Path) -> None:
    jsonl(folder, GOOD)
    (folder / "metadata.csv").write_text("file_name,text\n", encoding="utf-8")
    assert "has both metadata.csv and metadata.jsonl; keep one of them" in refused(folder)


def test_a_folder_of_corpora_asks_for_one(tmp_path: Path, folder: Path) -> None:
    outer = tmp_path / "outer"
    (outer / "calls").mkdir(parents=True)
    jsonl(outer / "calls", GOOD)
    assert f"holds several corpora (calls); name one, e.g. {outer / 'calls'}" in refused(outer)
    (folder / "b.wav").rename(outer / "calls" / "b.wav")
    assert load_corpus(f"{outer}@calls").utterances[0].reference == "fine"


def test_a_file_has_no_splits_to_choose(folder: Path) -> None:
    path = jsonl(folder, GOOD)
    assert f"{path} is one file and has no splits; drop @test" in refused(f"{path}@test")


def test_a_plain_folder_takes_the_transcript_beside_each_recording(folder: Path) -> None:
    (folder / "a.txt").write_text("\ufeffone two\n", encoding="utf-8")
    (folder / "b.txt").write_text("three", encoding="utf-8")
    assert "c,d.wav: has no transcript; write what is said in it to c,d.txt beside it" in refused(folder)
    (folder / "c,d.wav").unlink()
    assert [(u.id, u.reference) for u in load_corpus(folder).utterances] == [("a.wav", "one two"), ("b.wav", "three")]


def test_a_location_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert f"{str(tmp_path / 'no')!r} does not exist; give a folder of recordings" in refused(tmp_path / "no")
    (tmp_path / "m.doc").write_text("", encoding="utf-8")
    assert "a manifest ends in .csv, .tsv, .jsonl, .json, .parquet" in refused(tmp_path / "m.doc")


def test_two_recordings_with_one_transcript_are_refused(tmp_path: Path) -> None:
    for name in ("call.flac", "call.wav"):
        soundfile.write(tmp_path / name, np.zeros(160), 16_000)
    (tmp_path / "call.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"call.wav: shares its transcript with call.flac, .*must not count twice"):
        load_corpus(tmp_path)


@pytest.mark.parametrize(
    ("typed", "code"),
    [("EN-us", "en"), ("pt_BR", "pt"), (" yue ", "yue"), ("", None), ("French", "fr"), ("nb_NO", "no")],
)
def test_a_language_is_a_code(tmp_path: Path, make_corpus: Callable[..., Path], typed: str, code: str | None) -> None:
    corpus = load_corpus(make_corpus(tmp_path, ["hello"], {"language": [typed]}))
    assert corpus.utterances[0].language == code


@pytest.mark.parametrize("typed", ["klingon", "['en']", "e", "12"])
def test_a_language_that_is_no_code_is_refused(tmp_path: Path, make_corpus: Callable[..., Path], typed: str) -> None:
    with pytest.raises(CorpusError, match=r"metadata.csv:2: language must be a code such as en or fr"):
        load_corpus(make_corpus(tmp_path, ["hello"], {"language": [typed]}))


def test_segments_of_one_recording_are_one_cluster(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(32_000), 16_000)
    rows = [{"audio_filepath": "long.wav", "text": "x", "offset": start, "duration": 0.5} for start in (0, 0.5)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert {item.cluster for item in load_corpus(tmp_path / "m.jsonl").utterances} == {"long.wav"}


@pytest.mark.parametrize(
    "text",
    [
        "file_name;text\na.wav;one, two\n",
        "sep=;\nfile_name;text\na.wav;one, two\n",
        "sep=|\nfile_name|text\na.wav|one, two\n",
        "file_name\ttext\na.wav\tone, two\n",
        'File Name,Transcript\na.wav,"one, two"\n',
        'AUDIO;SENTENCE\n.\\a.wav;"one, two"\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_dialect_of_a_table_is_found_out(folder: Path, text: str, encoding: str) -> None:
    path = folder / "metadata.csv"
    path.write_text(text, encoding=encoding)
    (item,) = load_corpus(path).utterances
    assert (item.id, item.reference) == ("a.wav", "one, two")
    assert item.where == f"{path}:{3 if text.startswith('sep=') else 2}"


def test_quotes_between_tabs_are_what_every_line_makes_of_them(folder: Path) -> None:
    path = folder / "list.tsv"
    path.write_text('path\tsentence\na.wav\t"Yes", she said\nb.wav\t"No"\n', encoding="utf-8")
    assert [item.reference for item in load_corpus(path).utterances] == ['"Yes", she said', '"No"']
    path.write_text('path\tsentence\na.wav\t"""Yes"", she said"\nb.wav\t"No"\n', encoding="utf-8")
    assert [item.reference for item in load_corpus(path).utterances] == ['"Yes", she said', "No"]


def test_an_array_of_objects_is_read_with_the_lines_of_its_rows(folder: Path) -> None:
    rows = [{"file_name": "a.wav", "text": "one"}, {"file_name": "b.wav", "text": "two"}, {"file_name": "c,d.wav"}]
    path = folder / "rows.json"
    path.write_text(json.dumps(rows[:2], indent=1), encoding="utf-8")
    assert [item.where for item in load_corpus(path).utterances] == [f"{path}:2", f"{path}:6"]
    path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    assert refused(path).startswith(f"{path}:10: has no transcript")


def test_names_compare_in_their_composed_form(folder: Path) -> None:
    soundfile.write(folder / "cafe\u0301.wav", np.zeros(160), 16_000)
    (item,) = load_corpus(jsonl(folder, {"file_name": "caf\u00e9.wav", "text": "x"})).utterances
    assert item.audio.path == folder / "cafe\u0301.wav"


def test_two_spans_from_one_start_are_two_utterances_and_the_same_span_is_one(folder: Path) -> None:
    rows = [{"file_name": "a.wav", "text": "x", "offset": 0, "duration": seconds} for seconds in (0.005, 0.01)]
    assert [item.id for item in load_corpus(jsonl(folder, *rows)).utterances] == ["a.wav", "a.wav+0.01"]
    assert "a.wav is listed twice" in refused(jsonl(folder, *rows, rows[1]))


def test_a_column_is_named_where_its_name_says_nothing(folder: Path) -> None:
    row = {"clip": "a.wav", "said": "one", "text": "old", "spoken": "German", "voice": "anna"}
    path = jsonl(folder, row)
    choices = Choices(audio_column="clip", text_column="said", language_column="spoken")
    (item,) = load_corpus(path, choices=choices).utterances
    assert (item.id, item.reference, item.language) == ("a.wav", "one", "de")
    assert item.slices == (("language", "German"), ("voice", "anna"))
    assert "its columns are: clip, said, text, spoken, voice; keep" in refused(path)
    with pytest.raises(CorpusError, match=r"has no column 'words'; it has: clip, said, .*correct --whisperq-text-col"):
        load_corpus(path, choices=Choices(text_column="words"))


def test_a_layout_without_columns_refuses_names_of_some(folder: Path) -> None:
    for name in ("a", "b", "c,d"):
        (folder / f"{name}.txt").write_text("x", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"without columns, so 'said' names none; drop --whisperq-text-column"):
        load_corpus(folder, choices=Choices(text_column="said"))


@pytest.mark.parametrize(
    ("row", "language", "cluster"),
    [
        ({"audio_filepath": "a.wav", "text": "x", "lang": "de"}, "de", ""),  # NeMo
        ({"path": "a.wav", "sentence": "x", "locale": "zh-TW", "client_id": "f0"}, "zh", "f0"),  # Common Voice
        ({"audio": "a.wav", "transcription": "x", "raw_transcription": "X.", "lang_id": "cmn_hans_cn"}, "zh", ""),
        ({"audio": "a.wav", "raw_text": "", "normalized_text": "x", "speaker_id": "None"}, None, ""),  # VoxPopuli
        ({"audio": "a.wav", "normalized_text": "x", "language": "English", "speaker_id": "7"}, "en", "7"),
        ({"audio_file_name": "a.wav", "text": "x"}, None, ""),
    ],
)
def test_columns_of_known_data_sets(folder: Path, row: dict[str, str], language: str | None, cluster: str) -> None:
    (item,) = load_corpus(jsonl(folder, row)).utterances
    assert (item.reference, item.language, item.cluster) == ("x", language, cluster)


def test_an_absolute_path_into_the_folder_is_as_good_as_a_relative_one(folder: Path) -> None:
    (item,) = load_corpus(jsonl(folder, {"audio_filepath": str(folder / "a.wav"), "text": "x"})).utterances
    assert item.id == "a.wav"


def test_a_link_out_of_the_folder_is_followed_where_the_root_says_so(folder: Path) -> None:
    """As in snapshots of the hub, in DVC and in git-annex; the name is that of the link, not of a digest."""
    snapshot = folder / "snapshots/1"
    snapshot.mkdir(parents=True)
    (folder / "a.wav").rename(folder / "8f3e")
    (snapshot / "a.wav").symlink_to(folder / "8f3e")
    (snapshot / "gone.wav").symlink_to(folder / "never")
    jsonl(snapshot, {"file_name": "a.wav", "text": "x"})
    assert "lies outside the corpus folder" in refused(snapshot)
    assert "--whisperq-corpus-root" in refused(snapshot)
    (item,) = load_corpus(snapshot, choices=Choices(root=folder.resolve())).utterances
    assert (item.id, item.audio.path) == ("a.wav", folder / "8f3e")
    jsonl(snapshot, {"file_name": "gone.wav", "text": "x"})
    with pytest.raises(CorpusError, match=r"it is a link to what is not there: fetch it \(git annex get"):
        load_corpus(snapshot, choices=Choices(root=folder.resolve()))


def test_recordings_that_no_row_names_are_noted_and_leftovers_are_not(folder: Path) -> None:
    (folder / "._b.wav").write_bytes(b"Finder")
    jsonl(folder, GOOD)
    assert load_corpus(folder).notes == ("no row in metadata.jsonl names 2 recordings (a.wav, c,d.wav)",)
    assert load_corpus(folder / "metadata.jsonl").notes == ()


def test_the_test_split_of_several_folders_is_read(folder: Path) -> None:
    for split in ("train", "test"):
        (folder / "data" / split).mkdir(parents=True)
        soundfile.write(folder / "data" / split / "x.wav", np.zeros(160), 16_000)
        jsonl(folder / "data" / split, {"file_name": "x.wav", "text": split})
    assert [item.reference for item in load_corpus(folder / "data").utterances] == ["test"]
    assert [item.reference for item in load_corpus(f"{folder / 'data'}@train").utterances] == ["train"]


def test_a_folder_whose_list_has_another_name_asks_for_it(folder: Path) -> None:
    path = jsonl(folder, GOOD, name="test_manifest.json")
    (folder / "README.txt").write_text("Recordings of calls", encoding="utf-8")
    message = refused(folder)
    assert "is in no layout that is known; it has test_manifest.json; name the file that lists" in message
    assert message.endswith(f"e.g. {path}")
