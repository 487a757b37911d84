"""What is wrong with a corpus: each fault that is planted is found, once, and a good corpus has none."""

import csv
import io
import re
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from pytest_whisperq.__main__ import main
from pytest_whisperq.commands.corpus_lint import Finding, lint
from pytest_whisperq.config.settings import resolve
from pytest_whisperq.measuring.catastrophe import binomial, least
from pytest_whisperq.measuring.fingerprints import fingerprint
from pytest_whisperq.measuring.recording import are_apart, clipped
from pytest_whisperq.speech import normalizers
from pytest_whisperq.speech.consistency import inconsistencies
from pytest_whisperq.speech.corpus import load_corpus
from pytest_whisperq.speech.transcripts import fault

RATE = 16_000


@lru_cache(maxsize=64)
def voice(number: int, seconds: float = 2.0, rate: int = RATE) -> "np.ndarray":
    """Something like speech: syllables of harmonics, other ones for every number."""
    random = np.random.default_rng(number)
    time = np.arange(int(seconds * rate)) / rate
    sound = np.zeros_like(time)
    for start in np.arange(0.05, seconds - 0.2, 0.2):
        envelope = np.exp(-(((time - start - 0.08) / 0.05) ** 2))
        pitch, first, second = random.uniform(90, 250), random.uniform(250, 900), random.uniform(900, 2600)
        for harmonic in range(1, 16):
            frequency = harmonic * pitch
            if frequency < min(3400, rate / 2):
                gain = np.exp(-(((frequency - first) / 150) ** 2)) + 0.5 * np.exp(-(((frequency - second) / 250) ** 2))
                sound += gain * envelope * np.sin(2 * np.pi * frequency * time)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


Row = tuple[str, str, str]


def write(folder: Path, rows: Sequence[Row]) -> Path:
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file_name", "text", "kind"), *rows])
    return folder


@pytest.fixture
def good(tmp_path: Path) -> list[Row]:
    """The rows of forty recordings with nothing wrong, enough for limits of five points and of 10 %."""
    (tmp_path / "calls").mkdir()
    rows = []
    for number in range(40):
        soundfile.write(tmp_path / "calls" / f"{number}.wav", voice(number, 1.0 + number % 7 / 10), RATE)
        rows.append((f"{number}.wav", f"please hold the line {number}", ""))
    return rows


def look(folder: Path, **options: str) -> list[Finding]:
    calibration = folder.parent / "calibration"
    if not calibration.exists():
        calibration.mkdir()
        soundfile.write(calibration / "a.wav", voice(9999), RATE)
        write(calibration, [("a.wav", "calibrated on", "")])
    typed = {
        "corpus": str(folder),
        "calibration": str(calibration),
        "max_drop": "5",
        "max_catastrophes": "0.1",
        **options,
    }
    return list(lint(resolve({f"whisperq_{name}": value for name, value in typed.items()})))


def test_nothing_is_wrong_with_a_good_corpus(tmp_path: Path, good: list[Row]) -> None:
    assert look(write(tmp_path / "calls", good)) == []


def test_twelve_faults_are_twelve_findings(tmp_path: Path, good: list[Row]) -> None:
    """One row for each, in the order in which they are planted."""
    folder = tmp_path / "calls"
    (folder / "empty.wav").write_bytes(b"")
    (folder / "noaudio.mp3").write_text("<html>not found</html>" * 50)
    soundfile.write(folder / "clipped.wav", np.clip(8 * voice(1001), -1, 1), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE, np.float32), RATE)
    soundfile.write(folder / "low.wav", voice(1002, rate=4000), 4000)
    soundfile.write(folder / "named.wav", voice(1003), RATE)
    soundfile.write(folder / "todo.wav", voice(1004), RATE)
    soundfile.write(folder / "twice.flac", soundfile.read(folder / "3.wav", dtype="float32")[0], RATE)
    soundfile.write(folder / "copy.ogg", 0.4 * soundfile.read(folder / "5.wav", dtype="float32")[0], RATE)
    soundfile.write(folder / "calibrated.wav", voice(9999), RATE)
    soundfile.write(folder / "noise.wav", 0.01 * np.random.default_rng(0).normal(size=RATE), RATE)
    said = "thank you for calling"
    planted = [
        ("gone.wav", said, "", "does not exist"),
        ("empty.wav", said, "", "the file is empty"),
        ("noaudio.mp3", said, "", "not readable|damaged or not audio"),
        ("clipped.wav", said, "", "is clipped: "),
        ("silent.wav", said, "", "silent, but with a transcript"),
        ("low.wav", said, "", "has 4000 samples a second"),
        ("named.wav", "", "", "empty transcript"),
        ("todo.wav", "TODO", "", "'TODO' stands for one that is missing"),
        ("twice.flac", "please hold the line 3", "", r"is the same recording as 3\.wav"),
        ("copy.ogg", said, "", r"sounds like a copy of 5\.wav"),
        ("calibrated.wav", said, "", "is calibrated on too"),
    ]
    nonspeech = ("noise.wav", "", "nonspeech")  # whose text is empty, as it has to be
    rows = [*good, nonspeech, *((name, text, kind) for name, text, kind, _ in planted)]
    found = look(write(folder, rows), max_drop="0.01", max_catastrophes="0.02")
    assert len(found) == 12

    for name, _, _, message in planted:
        own = [str(one) for one in found if re.search(message, str(one)) and name in str(one)]
        assert len(own) == 1, (name, [str(one) for one in found])
    assert re.fullmatch(
        r"48 utterances, 47 of speech, cannot certify max_drop=0\.01 \(at least \d{5} are needed\) "
        r"and max_catastrophes=0\.02 \(at least 149 independent ones are needed\)",
        found[-1].message,
    )


def test_fifteen_faults_of_texts_and_rows_are_fifteen_findings(tmp_path: Path, good: list[Row]) -> None:
    """One for each: none hides another, and none is found in the rows around it."""
    folder = tmp_path / "calls"
    header = ["file_name", "text", "language", "cluster", "offset", "duration"]
    rows = [[name, text, "en", "", "", ""] for name, text, _ in good]
    planted = {
        "desk_7.wav": (("desk_7", "en"), "is the name of a file"),
        "html.wav": (("terms &amp; conditions", "en"), "as HTML writes it"),
        "json.wav": ((r"caf\u00e9 au lait", "fr"), "an escape"),
        "cue.wav": (("hello [00:12] there", "en"), "a time of subtitles"),
        "tag.wav": (("hello <break time='1s'/> there", "en"), "the tag"),
        "who.wav": (("Agent: how can I help", "en"), "names a speaker"),
        "unseen.wav": (("hello\u200b there", "en"), r"U\+200B"),
        "alike.wav": (("\u041c\u043ec\u043a\u0432\u0430", "ru"), "letters of another script"),
        "script.wav": (("please hold the line", "ru"), "written in CYRILLIC"),
        "other.wav": (("what is it that you have for this", "de"), "is in en by its small words"),
        "stereo.wav": (("two at once", "en"), "two channels with different sounds"),
        "words.wav": (("es waren zwanzig", "de"), r"20 in words, and digits\.wav"),
    }
    for number, (name, ((text, language), _)) in enumerate(planted.items(), start=2000):
        soundfile.write(folder / name, voice(number), RATE)
        rows.append([name, text, language, "", "", ""])
    soundfile.write(folder / "stereo.wav", np.stack([voice(3000), voice(3001)], axis=1), RATE)
    soundfile.write(folder / "digits.wav", voice(3002), RATE)
    rows.append(["digits.wav", "es waren 20", "de", "", "", ""])
    soundfile.write(folder / "spans.wav", voice(3003, 5.0), RATE)
    rows += [["spans.wav", f"one and {n}", "en", "spans", f"{2 * n}", f"{2.8 - n}"] for n in range(2)]
    for number, name in enumerate(("Anna", "anna")):
        soundfile.write(folder / f"{name}.wav", voice(3010 + number), RATE)
        rows.append([f"{name}.wav", f"who is {number}", "en", name, "", ""])
    for number in range(3):
        soundfile.write(folder / f"cut{number}.wav", voice(3020 + number, 5.0), RATE)
        rows.append([f"cut{number}.wav", f"{number} {'some more words ' * 9}"[:127], "en", "", "", ""])
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    wanted = {
        **{name: message for name, (_, message) in planted.items()},
        "spans.wav": "shares 0.80 s of its recording",
        "Anna": "in two spellings",
        "cut0.wav": "3 transcripts, .*have 127 characters each",
    }
    found = [str(one) for one in look(folder)]
    assert len(found) == len(wanted) == 15
    for name, message in wanted.items():
        assert len([one for one in found if re.search(message, one) and name in one]) == 1, (name, found)


def test_the_embedded_corpus_has_none_of_these_faults() -> None:
    """Without its recordings, whose checks take a minute."""
    corpus = load_corpus()
    assert [fault(item) for item in corpus.speech if fault(item)] == []
    assert list(inconsistencies(corpus, normalizers.get(normalizers.choose(None, corpus)))) == []


def test_a_recording_that_was_cut_is_named_with_both_lengths(tmp_path: Path, good: list[Row]) -> None:
    folder = write(tmp_path / "calls", good)
    whole = (folder / "7.wav").read_bytes()
    (folder / "7.wav").write_bytes(whole[: len(whole) * 2 // 5])
    found = look(folder, max_catastrophes="0.5")
    assert len(found) == 1
    assert re.search(
        r"metadata\.csv:9: 7\.wav: is cut off: it holds 0\.40 s .* where its header promises 1\.00 s", str(found[0])
    )


def test_too_few_for_catastrophes_are_named_though_they_certify_the_drop(tmp_path: Path, good: list[Row]) -> None:
    folder = write(tmp_path / "calls", good)
    assert look(folder, max_catastrophes="0.073") == []
    (found,) = look(folder, max_catastrophes="0.072")
    assert (
        found.message == "40 utterances, 40 of speech, cannot certify max_catastrophes=0.072 "
        "(at least 41 independent ones are needed)"
    )


@pytest.mark.parametrize("limit", [0.005, 0.02, 0.05, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_as_many_as_are_said_to_be_needed_are(limit: float, confidence: float) -> None:
    needed = least(limit, confidence)
    below = [binomial(0, count, confidence).upper or 1.0 for count in (needed, needed - 1)]
    assert below[0] < limit
    assert below[1] >= limit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello [inaudible] you", r"holds '\[inaudible\]', which nobody says"),
        ("cafÃ©", "was read in the wrong encoding"),
        ("...", "stands for one that is missing"),
        ("xxx", "stands for one that is missing"),
        ("unknown", "stands for one that is missing"),
        ("StraÃŸe", "was read in the wrong encoding"),
        ("Ã–sterreich", "was read in the wrong encoding"),
        ("(um)", "nothing is left of the transcript"),
        (
            "a very long text for so short a sound, too long by far to be said in it" * 3,
            r"0\.wav \(213 characters in 1\.0 s\): more text than",
        ),
    ],
)
def test_suspicious_text_is_named(tmp_path: Path, good: list[Row], text: str, message: str) -> None:
    rows = [("0.wav", text, ""), *good[1:]]
    (found,) = look(write(tmp_path / "calls", rows))
    assert re.search(message, str(found))
    assert found.where.endswith("metadata.csv:2")


def test_long_short_and_slow_recordings_are_named(tmp_path: Path, good: list[Row]) -> None:
    folder = tmp_path / "calls"
    for name, seconds in (("long.wav", 31.0), ("slow.wav", 20.0)):
        sound = np.concatenate([voice(5000 + int(seconds) + number) for number in range(16)])
        soundfile.write(folder / name, sound[: int(seconds * RATE)], RATE)
    soundfile.write(folder / "short.wav", voice(7, 1.0)[:800], RATE)
    text = "what a long sentence this is, and how much there is to say"
    rows = [*good, ("long.wav", text, ""), ("short.wav", "a", ""), ("slow.wav", "yes", "")]
    messages = [one.message for one in look(write(folder, rows))]
    assert len(messages) == 3
    assert messages[0].startswith("long.wav: lasts 31 s, longer than Whisper's 30 s window")
    assert messages[1].startswith("short.wav (0.050 s): too short for a word")
    assert (
        messages[2] == "slow.wav (3 characters in 20.0 s): hardly any text for that time; is the transcript cut short?"
    )


def test_a_corpus_that_is_none_is_one_finding(tmp_path: Path) -> None:
    (found,) = look(tmp_path / "nowhere")
    assert "does not exist" in found.message
    (tmp_path / "bad.csv").write_text("file_name,text\na.wav,one,two\n")
    (found,) = look(tmp_path / "bad.csv")
    assert "has more fields than the header's 2" in found.message


@pytest.mark.parametrize(
    ("name", "rows", "broken"),
    [
        ("bad.csv", "file_name,text\ngone.wav,one\nalso.wav,one,two\nmore.wav,one\n", "has more fields"),
        (
            "bad.jsonl",
            '{"audio": "gone.wav", "text": "one"}\n[1]\n{"audio": "more.wav", "text": "one"}\n',
            "JSON object",
        ),
        (
            "bad.jsonl",
            '{"audio": "gone.wav", "text": "one"}\n{\n{"audio": "more.wav", "text": "one"}\n',
            "not valid JSON",
        ),
    ],
)
def test_a_row_that_is_none_is_a_finding_and_those_behind_it_are_read(
    tmp_path: Path, name: str, rows: str, broken: str
) -> None:
    (tmp_path / name).write_text(rows)
    found = [one.message for one in look(tmp_path / name)]
    assert [what in message for what, message in zip(("gone.wav", broken, "more.wav"), found, strict=False)] == [
        True
    ] * 3


def test_what_ended_the_reading_is_a_finding_too(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text('file_name,text\ngone.wav,one\n"also.wav"x,one\n')
    found = look(tmp_path / "bad.csv")
    assert ["does not exist" in found[0].message, "is not valid CSV" in found[1].message] == [True, True]


def test_sidecars_without_recordings_and_recordings_without_sidecars(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", voice(number), RATE)
    (folder / "0.txt").write_text("please hold the line")
    found = look(folder, max_drop="100")
    assert [one.message.partition(":")[2][:23] for one in found[:2]] == [" has no transcript; wri"] * 2
    assert len(found) == 3  # and one recording certifies nothing


def test_a_loud_wave_is_not_clipped_and_a_flat_top_is() -> None:
    wave = np.sin(np.arange(RATE) / 5).astype(np.float32)
    assert clipped(0.98 * wave) == 0
    assert clipped(np.clip(2 * wave, -1, 1)) > 0.3


def test_two_speakers_on_two_channels_are_told_from_one_in_a_room() -> None:
    left, right, noise = voice(1), voice(2), np.random.default_rng(0).normal(0, 0.02, len(voice(1))).astype(np.float32)
    room = 0.5 * np.roll(left, 80) + 0.3 * np.roll(left, 300) + noise  # 5 ms later, with an echo
    channels = {"call": right, "room": room, "noise": 0.1 * noise, "silence": 0 * left, "same": -left}
    apart = {name: are_apart(np.stack([left, other], axis=1), RATE) for name, other in channels.items()}
    assert apart == {"call": True, "room": False, "noise": False, "silence": False, "same": False}


@pytest.mark.parametrize("change", ["ogg", "quiet", "noise", "telephone"])
def test_a_copy_is_recognized_and_another_sentence_is_not(change: str) -> None:

    sound, other = voice(1), voice(2)
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="OGG")
    copies = {
        "ogg": soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")[0],
        "quiet": 0.1 * sound,
        "noise": sound + np.random.default_rng(0).normal(0, 0.003, len(sound)).astype(np.float32),
        "telephone": soxr.resample(soxr.resample(sound, RATE, 8000), 8000, RATE),
    }
    own = fingerprint(sound)
    assert own @ fingerprint(copies[change]) > 0.97
    assert own @ fingerprint(other) < 0.9
    assert float(np.linalg.norm(own)) == pytest.approx(1, abs=1e-5)


def test_two_sounds_that_are_only_silent_at_the_same_time_are_no_copies() -> None:
    one, other = (np.random.default_rng(seed).uniform(-0.5, 0.5, RATE).astype(np.float32) for seed in (1, 2))
    for sound in (one, other):
        sound[RATE // 2 :] = 0
    assert fingerprint(one) @ fingerprint(other) < 0.5


def test_a_fingerprint_of_next_to_nothing_is_defined() -> None:
    assert np.isfinite(fingerprint(np.zeros(3, np.float32))).all()


@pytest.mark.parametrize(
    ("text", "language"), [("todo", "es"), ("null", "de"), ("NÃO… É ASSIM", "pt"), ("IRMÃ… SIM", "pt")]
)
def test_words_of_other_languages_are_none_of_that(tmp_path: Path, good: list[Row], text: str, language: str) -> None:
    folder = write(tmp_path / "calls", [("0.wav", text, ""), *good[1:]])
    path = folder / "metadata.csv"
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"{header},language", f"{first},{language}", *(f"{row},en" for row in rest)]), "utf-8")
    assert look(folder) == []


def test_lint_counts_its_findings_in_the_exit_code(
    tmp_path: Path, make_corpus: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    make_corpus(tmp_path / "calls", ["one"] * 140)
    arguments = ["corpus", "lint", str(tmp_path / "calls"), "--max-drop", "5", "--max-catastrophes"]
    assert main([*arguments, "0.02"]) == 1
    assert "(at least 149 independent ones are needed)" in capsys.readouterr().out
    assert main([*arguments, "0.03"]) == 0
    (tmp_path / "calls" / "clip0003.wav").unlink()
    assert main([*arguments, "0.03"]) == 1
    shown = capsys.readouterr().out
    assert "metadata.csv:5: the audio file 'clip0003.wav' does not exist" in shown
    assert shown.endswith(f"1 finding in {tmp_path / 'calls'}\n")


def test_the_suite_lints_the_corpus_of_a_run(
    pytester: pytest.Pytester, tmp_path: Path, make_corpus: Callable[..., Path]
) -> None:
    make_corpus(tmp_path / "calls", ["one"] * 150)
    suite = Path(__file__).parents[3] / "suites" / "corpus.py"
    options = [f"--whisperq-corpus={tmp_path / 'calls'}", "--whisperq-max-drop=5", "-p", "no:cacheprovider"]
    pytester.runpytest(suite, *options).assert_outcomes(passed=1)
    (tmp_path / "calls" / "clip0003.wav").write_bytes(b"")
    result = pytester.runpytest(suite, *options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*clip0003.wav: the file is empty*"])


def test_recordings_that_no_row_names_are_a_finding(tmp_path: Path, make_corpus: Callable[..., Path]) -> None:
    folder = make_corpus(tmp_path / "corpus", ["one", "two"])
    shutil.copyfile(folder / "clip0000.wav", folder / "left.wav")
    findings = list(lint(resolve({"whisperq_corpus": str(folder)})))
    assert f"{folder}: no row in metadata.csv names 1 recording (left.wav)" in map(str, findings)
