"""Saved shards: what is wrong with one is said by the name of its file, before anything is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.history import shards
from pytest_whisperq.history.shards import KIND, Merged, read_shards, save_shard
from pytest_whisperq.system.errors import ConfigError, DecodeError, StoreError, WhisperqError
from pytest_whisperq.system.sealed import seal, unseal

StartRun = Callable[..., GateRunner]
TEXTS = ("one", "two three", "four", "five six", "seven")


@pytest.fixture
def saved(tmp_path: Path, start_run: StartRun) -> list[Path]:
    """Two shards of a run, decoded on two machines."""
    return [decode(start_run, tmp_path, number) for number in (1, 2)]


def decode(start_run: StartRun, tmp_path: Path, number: int, **options: str) -> Path:
    path = tmp_path / f"run-{number}.json"
    run = start_run(shard=f"{number}/2", cache_dir=str(tmp_path / f"machine{number}"), **options)
    specs = run.decode_share("accuracy", run.config.candidates[0])
    save_shard(run.session, specs, ["suites", "-v"], path)
    return path


def merged(start_run: StartRun, tmp_path: Path, paths: list[Path], **options: str) -> GateRunner:
    run = start_run(merge=",".join(map(str, paths)), cache_dir=str(tmp_path / "judging"), **options)
    run.session.once(Merged)
    return run


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    document = unseal(path.read_bytes(), KIND).records[0]
    edit(document)
    path.write_text(seal(document, KIND), encoding="utf-8")


def test_what_shards_transcribed_is_judged_without_decoding_or_building(
    tmp_path: Path, start_run: StartRun, saved: list[Path], decoded: list[int]
) -> None:
    run = merged(start_run, tmp_path, saved)
    assert run.session.transcripts(run.session.spec(run.config.candidates[0])).texts == TEXTS
    assert run.judge("size", run.config.candidates[0], max_ratio=1.1).judgement.checks[0].value == 1.0
    assert decoded == []
    assert not list((tmp_path / "judging" / "artifacts").glob("*/model"))
    assert run.session.model(run.config.candidates[0]).artifact.directory.is_dir()  # built when its files are asked for
    assert run.session.repairs == []


def test_one_error_names_what_is_missing_twice_there_damaged_or_no_shard(tmp_path: Path, saved: list[Path]) -> None:
    one, two = saved
    assert [shard.number for shard in read_shards([two, one])] == [1, 2]
    with pytest.raises(ConfigError, match=r"1 of 2 shards are missing: 2; decode them with --whisperq-shard 2/2"):
        read_shards([one])
    with pytest.raises(ConfigError, match=r"run-1\.json is shard 1 of 2, and so is .*run-1\.json"):
        read_shards([one, one])
    (tmp_path / "report.json").write_text(json.dumps({"schema": 1}))
    for name, problem in (("absent.json", "cannot read"), ("report.json", r"report\.json is no saved shard")):
        with pytest.raises(ConfigError, match=problem):
            read_shards([one, tmp_path / name])
    two.write_bytes(two.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    with pytest.raises(ConfigError, match=r"run-2\.json is damaged"):
        read_shards([one, two])


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda document: document.update(cpu="another"), "the processor is 'another'"),
        (lambda document: document.update(seed=7), "the seed is 7, and 0 in .*run-1.json"),
        (lambda document: document.update(corpus="another"), "the corpus is 'another'"),
        (lambda document: document.update(shard=[2, 3]), "the number of shards is 3, and 2"),
        (lambda document: document["models"].pop(), "the models is"),
        (lambda document: document["models"][1]["record"].update(identity="0"), "the weights of scripted:int8 is '0'"),
        (lambda document: document["models"][1].update(versions={"torch": "0"}), "the versions of scripted:int8"),
        (lambda document: document["models"][1]["clips"].pop(), "does not have the clips of shard 2"),
        (lambda document: document["models"][0]["clips"][0].update(text=None), "has a model that is none"),
        (lambda document: document.update(schema=99), "is of version 99"),
    ],
)
def test_a_shard_of_another_run_is_refused_and_nothing_is_written(
    tmp_path: Path, start_run: StartRun, saved: list[Path], edit: Callable[[dict[str, Any]], object], problem: str
) -> None:
    change(saved[1], edit)
    with pytest.raises(ConfigError, match=rf"run-2\.json .*{problem}"):
        merged(start_run, tmp_path, saved)
    assert not list((tmp_path / "judging").glob("artifacts/*"))
    assert not list((tmp_path / "judging").glob("transcripts/*"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"seed": "1"}, "the seed is 0, and 1 in this run"),
        ({"max_utterances": "4"}, "the corpus is .* in this run"),
        ({"candidate": "scripted:float32"}, "has transcripts of scripted:int8, which is no model of this run"),
    ],
)
def test_shards_of_another_run_than_the_one_that_judges_are_refused(
    tmp_path: Path, start_run: StartRun, saved: list[Path], options: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        merged(start_run, tmp_path, saved, **options)


def test_a_model_that_no_shard_heard_is_not_decoded_by_the_run_that_judges(
    tmp_path: Path, start_run: StartRun, saved: list[Path]
) -> None:
    for path in saved:
        change(path, lambda document: document["models"].pop())
    run = merged(start_run, tmp_path, saved)
    with pytest.raises(DecodeError, match="scripted:int8 has not transcribed 5 of 5 utterances in any shard"):
        run.judge("accuracy", run.config.candidates[0])


def test_a_cache_that_knows_another_text_is_not_mixed_with_shards(
    tmp_path: Path, start_run: StartRun, saved: list[Path]
) -> None:
    merged(start_run, tmp_path, saved)
    merged(start_run, tmp_path, saved)  # again changes nothing
    files = {path: path.read_bytes() for path in (tmp_path / "judging" / "transcripts").iterdir()}
    change(saved[0], lambda document: document["models"][0]["clips"][0].update(text="else"))
    with pytest.raises(StoreError, match=r"scripted:float32 has transcribed the clip \w+ in another way than a shard"):
        merged(start_run, tmp_path, saved)
    assert {path: path.read_bytes() for path in files} == files


def test_a_corpus_is_not_cut_into_more_shards_than_it_has_parts(start_run: StartRun) -> None:
    session = start_run(shard="6/6").session
    with pytest.raises(ConfigError, match=r"has parts for 5 shards at most.*; run 5 or fewer"):
        session.recordings.share(6, 6)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"report": "out", "export": "out"},
            "a shard judges nothing, and cannot have --whisperq-report, --w",
        ),
        ({"on_inconclusive": "extend"}, "cannot have --whisperq-on-inconclusive=extend"),
        ({"save": "run.json", "redact": "true"}, "a saved shard is made of transcripts"),
    ],
)
def test_options_that_want_a_verdict_are_refused_in_one_error(
    start_run: StartRun, options: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        start_run(shard="1/2", **options)


def test_a_shard_has_no_transcripts_of_the_whole_corpus(start_run: StartRun) -> None:
    run = start_run(shard="1/2")
    with pytest.raises(WhisperqError, match="a shard has no transcripts of the whole corpus"):
        run.judge("accuracy", run.config.candidates[0])


def test_what_a_shard_was_run_with_is_told_and_paths_of_its_machine_are_not(tmp_path: Path, saved: list[Path]) -> None:
    assert read_shards(saved)[0].command == ["suites", "-v"]
    assert str(tmp_path) not in saved[0].read_text(encoding="utf-8")
    assert shards.SCHEMA == 2
