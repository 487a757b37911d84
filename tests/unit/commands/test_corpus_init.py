"""From a folder of recordings to a corpus, and to its card."""

import csv
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr  # noqa: F401 - pytester forgets what is imported within it first, and this aborts when it is loaded again

from pytest_whisperq.__main__ import main
from pytest_whisperq.backends import Task, Transcriber
from pytest_whisperq.commands.corpus_init import start
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.decoding.decoder import Decoder
from pytest_whisperq.decoding.transcript_cache import TranscriptSet
from pytest_whisperq.models.source import ModelSpec
from pytest_whisperq.session import Session
from pytest_whisperq.speech.corpus import Corpus, Utterance, load_corpus
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import CorpusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings in two folders, one with its text beside it."""
    for name in ("a.wav", "calls/b.flac", "calls/c.ogg"):
        path = tmp_path / "recordings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(len(name)).uniform(-0.5, 0.5, 8000), 16_000)
    (tmp_path / "recordings" / "a.txt").write_text("please hold\nthe line\n")
    return tmp_path / "recordings"


def test_a_folder_becomes_a_corpus_with_a_test(folder: Path) -> None:
    lines = start(folder)
    assert lines[0] == f"{folder}: 3 recordings; wrote metadata.csv, test_release.py, pytest.ini"
    assert lines[1].startswith("fill in the text of 2 recordings")
    with (folder / "metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == ["a.wav", "calls/b.flac", "calls/c.ogg"]
    assert [row["text"] for row in rows] == ["please hold the line", "", ""]


def test_a_starter_runs_as_soon_as_its_texts_are_there(
    folder: Path, pytester: pytest.Pytester, make_script: Callable[..., Path]
) -> None:
    for name in ("calls/b.txt", "calls/c.txt"):
        (folder / name).write_text(f"the text of {name}")
    assert len(start(folder)) == 3  # nothing to fill in
    assert len(load_corpus(folder).utterances) == 3
    make_script(folder / "model", folder, {"float32": None, "int8": None})
    ini = re.sub("whisperq_backend = .*", "whisperq_backend = scripted", (folder / "pytest.ini").read_text())
    ini = ini.replace("whisperq-micro", "model")
    (folder / "pytest.ini").write_text(f"{ini}whisperq_baseline = scripted\nwhisperq_cache_dir = cache\n")
    result = pytester.runpytest_subprocess(str(folder), "-p", "no:cacheprovider")
    # Three recordings certify nothing: what a gate says of them is that it cannot tell.
    result.stdout.fnmatch_lines(["*whisperq accuracy gate: INCONCLUSIVE*", "*3 utterances*"])
    without = pytester.runpytest_subprocess(str(folder), "-p", "no:whisperq")
    assert without.ret == pytest.ExitCode.USAGE_ERROR  # and not a green run of a test with an empty body
    without.stderr.fnmatch_lines(["*Missing required plugins: pytest-whisperq*"])


@pytest.mark.parametrize(
    ("absent", "backend"),
    [
        ([], "openvino"),
        (["openvino", "faster_whisper"], "ctranslate2"),
        (["nncf", "ctranslate2", "faster_whisper"], "transformers"),
        (["torch", "ctranslate2", "faster_whisper", "openvino"], "ctranslate2"),
    ],
)
def test_a_starter_gates_what_is_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, absent: list[str], backend: str
) -> None:
    monkeypatch.setattr(optional_imports, "missing", lambda modules: [name for name in modules if name in absent])
    start(folder)
    assert f"whisperq_backend = {backend}\n" in (folder / "pytest.ini").read_text()


def test_nothing_is_ever_replaced(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\n")
    assert "wrote metadata.csv, test_release.py" in start(folder)[0]
    assert (folder / "pytest.ini").read_text() == "[pytest]\n"
    with pytest.raises(CorpusError, match=r"metadata\.csv is there already; check it with corpus lint"):
        start(folder)


def test_a_folder_that_cannot_become_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "init", str(tmp_path)]) == 2
    assert "holds no recordings" in capsys.readouterr().err
    assert main(["corpus", "init", str(tmp_path / "gone")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_a_name_that_is_not_utf_8_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system has names in Unicode only")
    assert main(["corpus", "init", str(tmp_path)]) == 2
    assert "the name 'caf\\udce9.wav' is not UTF-8; rename it" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1


def test_so_is_a_folder_of_such_a_name_and_lint_reads_on_behind_it(
    tmp_path: Path, make_corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has names in Unicode only")
    (folder / "a.wav").write_bytes(b"")
    (tmp_path / "b.wav").write_bytes(b"")
    for command in ("init", "lint"):
        assert main(["corpus", command, str(tmp_path)]) != 0
        shown = capsys.readouterr()
        assert "the name 'caf\\udce9/a.wav' is not UTF-8; rename it" in shown.out + shown.err
    assert "b.wav: has no transcript" in shown.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.wav", folder.name]


@pytest.fixture
def drafting(folder: Path, tmp_path: Path, make_script: Callable[..., Path]) -> list[str]:
    """The command line that drafts with a model that hears "", "hello there" and "two, three"."""
    for name in ("calls/b.txt", "calls/c.txt"):
        (folder / name).write_text("x")
    model = make_script(tmp_path / "model", folder, {"float32": ["never asked", " hello\nthere ", "two, three"]})
    for name in ("calls/b.txt", "calls/c.txt"):
        (folder / name).unlink()
    options = ["--draft", "--backend", "scripted", "--model", str(model), "--cache-dir", str(tmp_path / "cache")]
    return ["corpus", "init", str(folder), *options]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_drafts_are_filled_in_and_marked_and_a_run_refuses_them(
    folder: Path, drafting: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(drafting) == 0
    assert "drafts of 2 transcripts by scripted:float32" in capsys.readouterr().out
    texts = [("please hold the line", ""), ("hello there", "yes"), ("two, three", "yes")]
    assert [(row["text"], row["draft"]) for row in rows_of(folder)] == texts
    with pytest.raises(
        CorpusError, match=r"csv:3: 2 transcripts are drafts .*b\.flac the first; listen, .* clear its mark"
    ):
        Session(resolve({"whisperq_corpus": str(folder)})).read()
    assert main(["corpus", "lint", str(folder)]) == 1
    assert capsys.readouterr().out.count("is a draft of a model; listen, correct the text") == 2
    assert main(["corpus", "card", str(folder), "--cache-dir", str(folder / "cache")]) == 0
    assert "| drafts | 2 transcripts are what a model heard, and no run takes them |" in capsys.readouterr().out
    assert main(["corpus", "convert", str(folder), str(folder.parent / "copy")]) == 0
    assert [row["draft"] for row in rows_of(folder.parent / "copy")] == ["", "yes", "yes"]


def test_drafts_leave_what_somebody_wrote_and_how_the_table_is_written(folder: Path, drafting: list[str]) -> None:
    before = [b"File Name;note;Text", b'a.wav;"x; y";', b"calls/b.flac;;my own words", b"calls/c.ogg;;", b""]
    after = [b"File Name;note;Text;draft", b'a.wav;"x; y";never asked;yes', b"calls/b.flac;;my own words;"]
    after += [b"calls/c.ogg;;two, three;yes", b""]
    table = folder / "metadata.csv"
    table.write_bytes(b"\r\n".join([b"\xef\xbb\xbfsep=;", *before]))
    for _ in range(2):  # the second time there is nothing to fill in
        assert main(drafting) == 0
        assert table.read_bytes() == b"\r\n".join([b"\xef\xbb\xbfsep=;", *after])


def test_a_transcript_that_is_written_meanwhile_stays(
    folder: Path, drafting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start(folder)
    hear = Session.heard

    def heard(session: Session, corpus: Corpus) -> TranscriptSet:
        texts = hear(session, corpus)
        table = folder / "metadata.csv"
        table.write_text(table.read_text().replace("calls/b.flac,,", "calls/b.flac,my own words,"))
        return texts

    monkeypatch.setattr(Session, "heard", heard)
    assert main(drafting) == 0
    rows = [(row["text"], row["draft"]) for row in rows_of(folder)]
    assert rows[1:] == [("my own words", ""), ("two, three", "yes")]


def test_drafts_that_were_ended_go_on_where_they_were(
    folder: Path, drafting: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second batch fails once: what the first one heard is not asked for again, and no table is half-written."""
    asked: list[int] = []
    run = Decoder.run

    def failing(
        decoder: Decoder, spec: ModelSpec, transcriber: Transcriber, batch: Sequence[Utterance], task: Task
    ) -> object:
        asked.append(len(batch))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return run(decoder, spec, transcriber, batch, task)

    monkeypatch.setattr(Decoder, "run", failing)
    with pytest.raises(KeyboardInterrupt):
        main([*drafting, "--decode-batch", "1"])
    assert [row["text"] for row in rows_of(folder)] == ["please hold the line", "", ""]
    assert main([*drafting, "--decode-batch", "1"]) == 0
    assert (len(asked), [row["text"] for row in rows_of(folder)][1:]) == (3, ["hello there", "two, three"])


def test_drafts_need_a_model_and_options_of_drafts_need_drafts(
    folder: Path, drafting: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpus", "init", str(folder), "--draft"]) == 2
    assert "name your checkpoint with --model" in capsys.readouterr().err
    assert main([part for part in drafting if part != "--draft"]) == 2
    assert "add --draft" in capsys.readouterr().err


def test_a_column_called_draft_that_is_none_is_told(
    tmp_path: Path, make_corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    make_corpus(tmp_path / "calls", ["one"], {"draft": ["version 2"]})
    assert main(["corpus", "lint", str(tmp_path / "calls")]) == 1
    assert "yes or nothing (got 'version 2')" in capsys.readouterr().out
