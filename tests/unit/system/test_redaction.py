"""What does not leave a machine with a report."""

import os
from pathlib import Path

import pytest

from pytest_whisperq.system.redaction import scrubber, shareable, text_digest, unquoted, without_tokens


def test_tokens_of_the_environment_and_what_looks_like_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "my-private-token")
    text = without_tokens("401 for my-private-token and hf_abcdefghijklmnopqrstuvwxyz")
    assert text == "401 for *** and ***"


def test_tokens_go_from_a_document_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "my-private-token")
    assert scrubber(())({"message": ["401 for my-private-token"]}) == {"message": ["401 for ***"]}


def test_a_token_that_is_next_to_nothing_blanks_out_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "a")
    assert without_tokens("a cat") == "a cat"


def test_the_home_of_a_user_is_written_as_every_option_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert (
        shareable("replay: pytest --whisperq-corpus /home/somebody/calls") == "replay: pytest --whisperq-corpus ~/calls"
    )
    monkeypatch.setenv("HOME", "/")
    assert shareable("/a/b") == "/a/b"


def test_nothing_between_quotes_of_any_kind_is_kept() -> None:
    message = """Bob's calls/don't.csv:3: nothing is left of the transcript "(that's John Smith)" under 'x' (1)"""
    assert unquoted(message) == "Bob… (1)"


def test_only_whole_names_are_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/al")
    kept = "/home/alice/calls, /home/al-2, /home/al_b, /home/al.bak and /mnt/home/al/calls"
    assert shareable(kept) == kept
    assert scrubber(())(kept) == kept
    assert shareable("in /home/al. Look at '/home/al', file:///home/al/a and --x=/home/al/b") == (
        "in ~. Look at '~', file://~/a and --x=~/b"
    )


def test_what_lies_where_one_works_is_named_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/al")
    here = Path("/home/al/work")
    text = "(/home/al/work/calls/metadata.csv:3) --whisperq-model /data/home/al/work/m /home/al/model /home/al/work"
    assert shareable(text, here) == "(calls/metadata.csv:3) --whisperq-model /data/home/al/work/m ~/model ~/work"
    assert shareable("/mnt/calls", Path("/")) == "/mnt/calls"


def test_a_folder_is_named_by_its_last_part_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scrub = scrubber(["/mnt/acme/calls/"])
    assert scrub(["/mnt/acme/calls/metadata.csv:3", "/mnt/acme/calls/"]) == ["calls/metadata.csv:3", "calls/"]


def test_folders_of_this_machine_go_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, away = tmp_path / "here", tmp_path / "acme" / "calls"
    here.mkdir()
    away.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    scrub = scrubber([str(away), "embedded", "calls"])
    data = {
        "corpus": str(away),
        "notes": [f"calibrated on {away}, kept in {tmp_path / 'home' / 'cache'}", f"{here}{os.sep}test.py"],
        "count": 3,
    }
    assert scrub(data) == {
        "corpus": "calls",
        "notes": ["calibrated on calls, kept in ~/cache", "test.py"],
        "count": 3,
    }


def test_the_working_directory_itself_and_what_lies_beside_it_are_named_by_their_last_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "acme" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    scrub = scrubber([str(here), "../beside/calls"])
    assert scrub([str(here), "../beside/calls"]) == ["here", "calls"]
    monkeypatch.chdir("/")
    assert scrubber(["/data/acme/calls"])(["/data/acme/calls", "https://docs"]) == ["calls", "https://docs"]


def test_what_json_cannot_say_becomes_nothing() -> None:
    scrub = scrubber(())
    assert scrub([float("nan"), float("inf"), 1.5]) == [None, None, 1.5]
    assert scrub("file \udcff.wav") == "file ?.wav"


def test_equal_texts_have_equal_digests() -> None:
    assert text_digest("one") == text_digest("one") != text_digest("two")
    assert "one" not in text_digest("one")


def test_a_link_to_somewhere_else_is_named_by_where_it_leads_less_the_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, away = tmp_path / "here", tmp_path / "acme" / "checkpoint"
    here.mkdir()
    away.mkdir(parents=True)
    (here / "model").symlink_to(away, target_is_directory=True)
    monkeypatch.chdir(here)
    scrub = scrubber(["model", "embedded", "openai/whisper-tiny"])
    assert scrub([f"{away}/config.json lacks d_model", "model of openai/whisper-tiny, embedded"]) == [
        "checkpoint/config.json lacks d_model",
        "model of openai/whisper-tiny, embedded",
    ]
