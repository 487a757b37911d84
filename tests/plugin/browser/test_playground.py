"""The playground as people meet it: all three tabs, with a WAV file as the microphone, and nobody else is asked."""

import importlib.util
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from chromium import need
from tone_model import NAMES, install, say

from pytest_whisperq.config.settings import resolve
from pytest_whisperq.history.document import read
from pytest_whisperq.playground import server
from pytest_whisperq.playground.models import Models
from pytest_whisperq.playground.review import Review
from pytest_whisperq.session import Session
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import load_corpus

TEXT = [*NAMES, "juliett", "delta"]  # a word said twice in a row, and one that the candidate mishears
MISHEARD = {"delta": "dalton"}
EVIL = "<img src=https://example.invalid/x onerror=document.title='hacked'>"
"""What a reference says that is shown: text, and nothing else."""

GATED = "import pytest\n@pytest.mark.whisperq_accuracy\ndef test_words(): pass\n"

LONG = 120.0
"""Seconds to wait for what takes one on a machine with nothing else to do."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A microphone's recording: stereo at 48 kHz, with a pause before it as people make."""
    path = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    sound = np.concatenate([np.zeros(72_000), say(TEXT, 48_000)])
    soundfile.write(path, np.stack([sound, sound], axis=1), 48_000, "PCM_16")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_corpus: Any, make_script: Any) -> Iterator[tuple[str, Path]]:
    """The address of a playground, and the folder that it exports to; it speaks to this machine alone."""
    if importlib.util.find_spec("gradio") is None:
        need("gradio")
    folder, elsewhere = tmp_path_factory.mktemp("playground"), list[Any]()
    connect = socket.socket.connect

    def connected(one: socket.socket, to: Any) -> Any:
        if one.family in (socket.AF_INET, socket.AF_INET6) and to[0] not in ("127.0.0.1", "::1", "localhost"):
            elsewhere.append(to)
        return connect(one, to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connected)
        install(patch, MISHEARD)
        corpus = make_corpus(folder / "calls", ["alpha bravo", EVIL, "golf hotel"], {"language": ["en"] * 3})
        said = ["alpha bravo", "golf", "golf"]
        model = make_script(folder / "model", corpus, {"float32": None, "int8": said})
        options = {
            "candidate": "scripted:int8",
            "baseline": "scripted",
            "model": str(model),
            "corpus": str(corpus),
            "cache_dir": str(folder / "cache"),
        }
        models = Models(Session(resolve({f"whisperq_{name}": value for name, value in options.items()})))
        review = looked_through(model, corpus, folder)
        with server.listening(0) as one, server.playground(models, review) as app:
            serving = server.server(app)
            thread = threading.Thread(target=serving.run, kwargs={"sockets": [one]})
            thread.start()
            try:
                yield server.address(one), folder / "marked"
            finally:
                serving.should_exit = True
                thread.join()
    assert elsewhere == []


def looked_through(model: Path, corpus: Path, folder: Path) -> Review:
    """Return a run that pytest has saved, in which the second utterance lost most, and then the third."""
    (folder / "test_calls.py").write_text(GATED, encoding="utf-8")
    options = {
        "model": model,
        "baseline": "scripted",
        "candidate": "scripted:int8",
        "corpus": corpus,
        "cache-dir": folder / "cache",
        "normalizer": "identity",  # the others take what is in angle brackets for a remark
        "save": folder / "run.json",
    }
    command = [sys.executable, "-m", "pytest", *(f"--whisperq-{name}={value}" for name, value in options.items())]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr  # three utterances certify nothing
    recordings = load_corpus(corpus)
    sounds = {item.id: audio.pcm_digest(audio.load(item.audio)) for item in recordings.utterances}
    return Review(read(folder / "run.json", "--run"), recordings, sounds, folder / "marked")


@pytest.fixture
def page(place: tuple[str, Path], speaking_browser: Any) -> Iterator[Any]:
    """A page that was just opened. At the end nothing has complained, and nobody else was asked for anything.

    What its policy has kept it from asking is a complaint.
    """
    opened(speaking_browser, place[0])
    yield speaking_browser
    assert [entry for entry in speaking_browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = speaking_browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert len(asked) > 50
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(place[0]).netloc}
    assert speaking_browser.title == "whisperq playground"


def opened(driver: Any, address: str) -> None:
    driver.get(address)
    wait(lambda: css(driver, ".wq-header") and len(css(driver, "button[role=tab]")) == 3)


def wait(is_there: Callable[[], Any]) -> Any:
    """Return what is there as soon as it is."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        if found := is_there():
            return found
        time.sleep(0.1)
    raise AssertionError("it does not come")


def css(driver: Any, selector: str) -> list[Any]:
    found: list[Any] = driver.find_elements("css selector", selector)
    return found


def text(driver: Any, selector: str) -> str:
    """Return all text of some elements, which may be replaced meanwhile."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent.trim()).join(' ')"
    shown: str = driver.execute_script(script, selector)
    return shown


def tab(driver: Any, name: str) -> None:
    (button,) = [one for one in css(driver, "button[role=tab]") if one.text == name]
    button.click()


def press(driver: Any, name: str) -> None:
    wait(lambda: [one for one in css(driver, "button") if one.is_displayed() and one.text == name])[0].click()


def compared(driver: Any) -> list[str]:
    """Return what original and candidate are shown to have said about a recording."""
    return [one.text for one in wait(lambda: css(driver, "#wq-whole .wq-card .wq-text"))]


def test_a_file_is_heard_by_both_and_what_differs_is_coloured(page: Any, spoken: Path) -> None:
    wait(lambda: css(page, "input[type=file]"))[0].send_keys(str(spoken))
    original, candidate = compared(page)
    assert original == " ".join(TEXT)
    assert candidate == original.replace("delta", "dalton")
    assert [one.text.split() for one in css(page, "#wq-whole .wq-column.wq-other")] == [["delta", "dalton"]] * 2
    assert text(page, "#wq-whole dd").count("8.70 s") == 2
    assert "executes int8" in text(page, ".wq-header")


def test_what_is_spoken_is_heard(page: Any) -> None:
    css(page, "button[aria-label='Record audio']")[0].click()
    press(page, "Record")
    time.sleep(4)
    press(page, "Stop")
    original = compared(page)[0].split()
    assert original
    assert original == TEXT[: len(original)]


def test_a_microphone_is_streamed_to_its_end_and_two_pages_do_not_mix(page: Any, place: tuple[str, Path]) -> None:
    first = page.current_window_handle
    page.switch_to.new_window("window")
    second = page.current_window_handle
    opened(page, place[0])
    for window in (first, second):
        page.switch_to.window(window)
        tab(page, "Streaming")
        wait(lambda: css(page, "#wq-record"))[0].click()
        time.sleep(2)
    for window in (first, second):
        page.switch_to.window(window)
        wait(lambda: TEXT[-2] in text(page, ".wq-original .wq-committed"))
        css(page, "#wq-record")[0].click()
        wait(lambda: text(page, "#wq-state") == "stopped")
        assert text(page, ".wq-original .wq-committed") == " ".join(TEXT)
        assert text(page, ".wq-candidate .wq-committed") == " ".join(TEXT).replace("delta", "dalton")
        assert text(page, ".wq-tentative").strip() == ""
        assert "over, all committed" in text(page, ".wq-clock")
        assert len(css(page, "#wq-live svg polyline")) == 4
    naive = css(page, "#wq-live .wq-naive")[0]
    assert not naive.is_displayed()
    css(page, "#wq-naive")[0].click()
    assert naive.is_displayed()
    assert len(text(page, ".wq-original .wq-naive p").split()) > len(TEXT)
    page.close()
    page.switch_to.window(first)


def test_a_run_is_looked_through_and_what_is_marked_is_a_corpus(page: Any, place: tuple[str, Path]) -> None:
    tab(page, "Corpus")
    wait(lambda: "clip0001.wav" in text(page, "#wq-utterance h2"))
    assert EVIL.split()[0] in text(page, "#wq-utterance .wq-strip")
    script = """
        const done = arguments[arguments.length - 1], player = document.querySelector("#wq-utterance audio");
        player.muted = true;
        player.addEventListener("timeupdate", () => { if (player.currentTime > 0) done("plays"); });
        player.addEventListener("error", () => done(`error ${player.error.code}`));
        player.play();
    """
    assert page.execute_async_script(script) == "plays"
    press(page, "Export what is marked")
    wait(lambda: "nothing is marked yet" in text(page, "#wq-exported"))
    press(page, "Next →")
    wait(lambda: "clip0002.wav" in text(page, "#wq-utterance h2"))
    assert "1 more error than the original" in text(page, "#wq-utterance .wq-chip")
    (box,) = [one for one in css(page, "textarea, input[type=text]") if one.is_displayed()]
    wait(lambda: box.get_property("value") == "golf hotel")
    box.clear()
    box.send_keys("golf")
    press(page, "Mark the reference as wrong")
    wait(lambda: "marked: golf" in text(page, "#wq-utterance .wq-marked"))
    press(page, "Export what is marked")
    wait(lambda: "1 utterance written" in text(page, "#wq-exported"))
    exported = load_corpus(place[1]).utterances
    assert [(item.id, item.reference) for item in exported] == [("clip0002.wav", "golf")]
