"""Take the pictures of docs/playground.md: the embedded model hears an embedded recording, in a headless Chromium.

    python tests/benchmarks/playground_picture.py --candidate openvino:int3-sym --to docs/images

The figures in them are this machine's: nothing else may compute beside it. Needs the extra ``playground``, the
candidate's, Selenium, Chromium and chromedriver.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile
import soxr

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "plugin"))

start = importlib.import_module("chromium").start

SPEECH = ROOT / "fixtures" / "audio" / "longform" / "en-voices.ogg"
MICROPHONE = 48_000
PATIENCE = 600


def wait(is_there: Callable[[], Any]) -> Any:
    """Return what is there as soon as it is."""
    end = time.monotonic() + PATIENCE
    while not (found := is_there()):
        if time.monotonic() > end:
            raise SystemExit("the page does not show it")
        time.sleep(0.2)
    return found


def css(driver: Any, selector: str) -> list[Any]:
    """Return the elements of a selector."""
    found: list[Any] = driver.find_elements("css selector", selector)
    return found


def shoot(driver: Any, path: Path) -> None:
    """Take a picture of all of the page."""
    height = driver.execute_script("return document.querySelector('.gradio-container').scrollHeight")
    driver.set_window_size(1240, min(1700, height + 160))
    time.sleep(1)
    driver.save_screenshot(str(path))
    print(path)


def pictures(address: str, spoken: Path, seconds: float, folder: Path) -> None:
    """Hear the recording whole, then as the microphone, and take a picture of each."""
    driver = start(
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={spoken}%noloop",
    )
    try:
        driver.set_page_load_timeout(PATIENCE)
        driver.get(address)
        wait(lambda: css(driver, "input[type=file]"))[0].send_keys(str(spoken))
        wait(lambda: css(driver, "#wq-whole .wq-card"))
        shoot(driver, folder / "playground.png")
        next(one for one in css(driver, "button[role=tab]") if one.text == "Streaming").click()
        wait(lambda: css(driver, "#wq-record"))[0].click()
        time.sleep(seconds)
        css(driver, "#wq-record")[0].click()
        wait(lambda: css(driver, "#wq-state")[0].text == "stopped")  # a machine that is slow has decoded all of it then
        css(driver, "#wq-naive")[0].click()
        shoot(driver, folder / "playground-streaming.png")
    finally:
        driver.quit()


def main() -> None:
    """Start a playground and take its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candidate", default="openvino:int3-sym")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--begin", type=float, default=0.0, help="second of the recording to begin at (0)")
    parser.add_argument("--seconds", type=float, default=16.0, help="how much of it (16)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sound, rate = soundfile.read(SPEECH, dtype="float32")
        part = sound[round(options.begin * rate) : round((options.begin + options.seconds) * rate)]
        spoken = Path(folder, "spoken.wav")
        soundfile.write(spoken, soxr.resample(part, rate, MICROPHONE), MICROPHONE, "PCM_16")
        command = [
            sys.executable,
            "-m",
            "pytest_whisperq",
            "playground",
            "--candidate",
            options.candidate,
            "--port",
            "0",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
            try:
                assert process.stdout
                line = next((line for line in process.stdout if "http://" in line), None)
                if line is None:
                    raise SystemExit("the playground does not start; see above")
                address = line[line.index("http://") :].split(";")[0]
                pictures(address, spoken, options.seconds + 4, options.to)
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
