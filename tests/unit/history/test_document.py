"""The stored run: written whole, read back, and refused where it is none."""

import hashlib
import json
import random
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.history.document import (
    ROW,
    StoredRun,
    corpus_digest,
    read,
    read_all,
    rows_digest,
    utterance_rows,
    write,
)
from pytest_whisperq.system.errors import ConfigError, StoreError
from pytest_whisperq.system.on_disk import Kept

MakeStored = Callable[..., StoredRun]


def test_rows_are_written_one_by_one_as_the_whole_would_be(tmp_path: Path, make_stored: MakeStored) -> None:
    document = dict(make_stored("x", {"base": [0, 1], "int8": [1, 2]}).document)
    for rows in (document["utterances"], []):
        one = {**document, "utterances": Kept(rows, ROW), "notes": ["né\n"]}
        write(one, tmp_path / "run.json", "--whisperq-save")
        whole = json.dumps({**one, "utterances": rows}, ensure_ascii=False, indent=1)
        assert (tmp_path / "run.json").read_text(encoding="utf-8") == whole + "\n"


def test_a_document_is_read_back(tmp_path: Path, make_stored: MakeStored) -> None:
    run = make_stored("x", {"base": [0, 1], "int8": [1, 2]})
    write(run.document, tmp_path / "run.json", "--whisperq-save")
    found = read(tmp_path / "run.json", "--whisperq-compare")
    assert found == StoredRun(name="run.json", document=run.document)
    assert found.models("candidate") == ["int8"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["old/report.json", "new/report.json"], ["old/report.json", "new/report.json"]),
        (["report.json", "new/report.json"], ["report.json", "new/report.json"]),
        (["a/b/report.json", "c/b/report.json"], ["b/report.json (1)", "b/report.json (2)"]),
        (["~/report.json", "~/b/report.json"], ["~/report.json", "b/report.json"]),
        (["a/old.json", "b/new.json"], ["old.json", "new.json"]),
    ],
)
def test_runs_whose_files_have_one_name_are_told_apart_and_not_by_their_whole_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_stored: MakeStored, paths: list[str], names: list[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "alice"))
    monkeypatch.chdir(tmp_path)
    expanded = [Path(path).expanduser() for path in paths]
    for path in expanded:
        write(make_stored("x", {"base": [0]}).document, path, "--whisperq-save")
    assert [run.name for run in read_all(expanded, "--whisperq-compare")] == names


def change(data: dict[str, Any], path: str, value: object) -> None:
    *folders, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = data
    for folder in folders:
        place = place[folder]
    if value is None:
        del place[last]
    else:
        place[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema", 99, r"of version 99, not 1; save the run again"),
        ("settings.normalizer", None, r"damaged \(KeyError: 'normalizer'\)"),
        ("utterances", [{"errors": {}}], r"damaged \(KeyError: 'clip'\)"),
        ("utterances", 3, "damaged"),
        ("gates", [{}], "damaged"),
        ("corpus", None, "damaged"),
        ("utterances", [], r"damaged \(its utterances are not those of its digest\); save the run again"),
        ("utterances.0.said", "edited", "damaged"),
        ("utterances.1.clip", "another sound", "damaged"),
        ("utterances.1.clip", 7, r"damaged \(AttributeError"),
        ("utterances.0", None, "damaged"),
        ("corpus.digest", "of another run", "damaged"),
    ],
)
def test_what_is_no_report_is_named_with_what_to_do(
    tmp_path: Path, make_stored: MakeStored, path: str, value: object, message: str
) -> None:
    data = json.loads(json.dumps(make_stored("x", {"base": [0, 1]}).document))
    change(data, path, value)
    (tmp_path / "run.json").write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=rf"^--whisperq-compare: .*run\.json .*{message}"):
        read(tmp_path / "run.json", "--whisperq-compare")


def test_an_older_run_on_a_gpu_names_the_device_once(tmp_path: Path, make_stored: MakeStored) -> None:
    data = make_stored("x", {"base": [0]}).document
    data["settings"]["device"] = "cuda"
    data["models"]["base"]["compute_type"] = "float32 on cuda"
    write(data, tmp_path / "run.json", "--whisperq-save")
    run = read(tmp_path / "run.json", "--whisperq-compare")
    assert (run.device, run.document["models"]["base"]["compute_type"]) == ("cuda", "float32")


def test_a_run_in_which_nobody_speaks_compares_with_nothing(tmp_path: Path, make_stored: MakeStored) -> None:
    data = make_stored("x", {"base": [0]}).document
    data["utterances"][0]["errors"] = None
    write(data, tmp_path / "run.json", "--whisperq-save")
    with pytest.raises(ConfigError, match=r"run\.json holds no utterance with words"):
        read(tmp_path / "run.json", "--whisperq-compare")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', "[" * 100_000])
def test_what_is_no_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ConfigError, match=r"run\.json is not a report"):
        read(tmp_path / "run.json", "--whisperq-compare")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--x: cannot read .*gone\.json: No such file"):
        read(tmp_path / "gone.json", "--x")


def test_the_digest_of_rows_is_that_of_their_json_which_saved_runs_have() -> None:
    rows = [{"clip": "b", "said": "é"}, {"clip": "a", "said": "2"}, {"clip": "a", "said": "1"}]
    for some in (rows, rows[:1], []):
        whole = json.dumps(sorted([row["clip"], row["said"]] for row in some))
        assert rows_digest(some) == hashlib.sha256(whole.encode()).hexdigest()


def test_many_rows_of_any_text_have_the_digest_of_their_json() -> None:
    rng = random.Random(0)
    letters = 'ab"\\ \0é\uffff\U0001f600\udcff'
    words = ["", *("".join(rng.choices(letters, k=rng.randint(0, 6))) for _ in range(3000))]
    rows = [{"clip": rng.choice(words), "said": rng.choice(words)} for _ in range(10_000)]
    whole = json.dumps(sorted([row["clip"], row["said"]] for row in rows))
    assert rows_digest(iter(rows)) == hashlib.sha256(whole.encode()).hexdigest()


def test_rows_for_which_there_is_no_room_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: Any, **__: Any) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(StoreError, match="database or disk is full"):
        rows_digest([{"clip": "a", "said": "b"}])


def test_a_place_that_cannot_be_written_blames_the_option_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"^--whisperq-save: cannot write .*run\.json: .* or name another place"):
        write({}, tmp_path / "file" / "run.json", "--whisperq-save")
    assert (tmp_path / "file").read_text() == "in the way"


def known(run: GateRunner) -> Mapping[str, Any]:
    specs = {"base": run.session.baseline_spec, "int8": run.session.spec(run.config.candidates[0])}
    for spec in specs.values():
        run.session.transcripts(spec)
    return {name: run.session.known(spec) for name, spec in specs.items()}


def rows(run: GateRunner, *, redact: bool) -> list[dict[str, Any]]:
    session = run.session
    facts = session.recordings.facts
    return [*utterance_rows(session.corpus, facts, session.normalizer, session.metric, known(run), redact=redact)]


@pytest.fixture
def run(start_run: Callable[..., GateRunner], tmp_path: Path, make_corpus: Any, make_script: Any) -> GateRunner:
    """One clip of three in which int8 gets a word of two wrong, and one in which nobody speaks."""
    make_corpus(tmp_path / "corpus", ["one", "two three", ""], {"kind": ["", "", "nonspeech"]})
    make_script(tmp_path / "model", tmp_path / "corpus", {"float32": None, "int8": ["one", "two wrong", "noise"]})
    return start_run()


def test_rows_hold_texts_counts_and_identities(run: GateRunner) -> None:
    first, second, silent = rows(run, redact=False)
    assert first["errors"] == {"base": 0, "int8": 0}
    assert second["texts"] == {"base": "two three", "int8": "two wrong"}
    assert (second["errors"], second["length"]) == ({"base": 0, "int8": 1}, 2)
    assert second["clip"] == run.session.recordings.facts["clip0001.wav"].digest
    assert silent["errors"] is None
    assert silent["texts"]["int8"] == "noise"


def test_redacted_rows_hold_counts_and_no_word(run: GateRunner) -> None:
    hidden = rows(run, redact=True)
    assert [row["errors"] for row in hidden] == [row["errors"] for row in rows(run, redact=False)]
    for word in ("two", "three", "wrong", "noise"):
        assert word not in json.dumps(hidden)
    assert hidden[0]["texts"]["base"] == hidden[0]["texts"]["int8"] != hidden[1]["texts"]["base"]


def test_clusters_that_are_named_for_what_is_said_are_redacted_too(
    start_run: Callable[..., GateRunner], tmp_path: Path, make_corpus: Any
) -> None:
    make_corpus(tmp_path / "corpus", ["one", "one", "two"], {"cluster": ["say one", "say one", "say two"]})
    first, second, third = rows(start_run(), redact=True)
    assert first["cluster"] == second["cluster"] != third["cluster"]
    assert "say" not in json.dumps([first, second, third])


def test_the_digest_of_a_corpus_minds_words_and_sounds_and_neither_order_nor_names(run: GateRunner) -> None:
    digest = corpus_digest(run.session.corpus, run.session.recordings.facts)
    backwards = type(run.session.corpus)(name="other", utterances=run.session.corpus.utterances[::-1])
    assert corpus_digest(backwards, run.session.recordings.facts) == digest
    shorter = type(run.session.corpus)(name="other", utterances=run.session.corpus.utterances[1:])
    assert corpus_digest(shorter, run.session.recordings.facts) != digest
    assert rows_digest(rows(run, redact=False)) == rows_digest(rows(run, redact=True)) == digest
