"""A corpus of any layout, written again and read again."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_whisperq.__main__ import main
from pytest_whisperq.commands.corpus_convert import convert
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.speech.corpus import Corpus, Utterance, load_corpus
from pytest_whisperq.system.errors import ConfigError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three utterances: a whole recording, and two parts of another one from the same start; and a clip of noise."""
    folder = tmp_path / "source"
    (folder / "calls").mkdir(parents=True)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)
    soundfile.write(folder / "calls/a.ogg", noise[:16_000], 16_000)
    soundfile.write(folder / "b.wav", noise, 16_000)
    soundfile.write(folder / "c.wav", noise[:100], 16_000)
    rows = [
        {"file_name": "calls/a.ogg", "text": 'one, "two"', "language": "en-US", "client_id": "f0", "line": "mobile"},
        {"file_name": "b.wav", "text": "drei", "translation": "three", "offset": 0, "duration": 0.5},
        {"file_name": "b.wav", "text": "four", "offset": 0, "duration": 1.25},
        {"file_name": "c.wav", "text": "", "kind": "nonspeech"},
    ]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def told(corpus: Corpus) -> list[tuple[object, ...]]:
    """Return all that counts of each utterance: its text, its groups, and its sound."""
    return [
        (
            item.reference,
            item.translation,
            item.language,
            item.kind,
            item.cluster,
            item.slices,
            audio.pcm_digest(audio.load(item.audio)),
        )
        for item in corpus.utterances
    ]


@pytest.mark.parametrize("name", ["made/folder", "table.parquet"])
def test_what_is_written_says_and_sounds_the_same(
    tmp_path: Path, source: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    target = tmp_path / name
    assert main(["corpus", "convert", str(source), str(target)]) == 0
    assert f"4 utterances written to {target}" in capsys.readouterr().out
    made = load_corpus(target)
    assert told(made) == told(load_corpus(source))
    assert [item.id for item in made.utterances] == ["calls/a.ogg", "b.flac", "b.wav+1.25.flac", "c.wav"]
    assert made.notes == ()


def test_a_recording_is_copied_byte_for_byte(tmp_path: Path, source: Path) -> None:
    convert(load_corpus(source), tmp_path / "made")
    assert (tmp_path / "made/calls/a.ogg").read_bytes() == (source / "calls/a.ogg").read_bytes()


def test_names_in_a_table_lead_nowhere_else(tmp_path: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(160), 16_000, format="FLAC")
    names = ["../../etc/passwd", "/tmp/x.flac", "..\\x.FLAC", ".hidden", "..", "tmp/x.flac"]
    items = [
        Utterance(id=name, where="", audio=AudioSource(label=name, data=file.getvalue()), reference=f"{number}")
        for number, name in enumerate(names)
    ]
    convert(Corpus(name="x", utterances=tuple(items)), tmp_path / "made")
    made = load_corpus(tmp_path / "made").utterances
    assert [item.reference for item in made] == ["0", "1", "2", "3", "4", "5"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"]


def test_nothing_is_replaced_and_half_a_corpus_is_never_left(tmp_path: Path, source: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match=r"corpus convert: .*there is there already; name another"):
        convert(load_corpus(source), tmp_path / "there")
    (source / "b.wav").write_bytes(b"broken")
    assert main(["corpus", "convert", str(source), str(tmp_path / "made")]) != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "there"]


def test_columns_are_named_by_options(tmp_path: Path, source: Path) -> None:
    (source / "metadata.jsonl").write_text('{"clip": "c.wav", "said": "five"}', encoding="utf-8")
    made = str(tmp_path / "made")
    assert main(["corpus", "convert", str(source), made, "--audio-column=clip", "--text-column=said"]) == 0
    assert [item.reference for item in load_corpus(made).utterances] == ["five"]
