"""A headless Chromium, where there is one; required in the environment `browser`, and otherwise a bonus."""

import os
import shutil
from typing import Any

import pytest

CHROMIUM, DRIVER = "chromium", "chromedriver"


def need(*missing: str) -> None:
    """Skip where something is missing, or fail where a browser is required."""
    if missing:
        reason = f"needs {', '.join(missing)}: apt-get install chromium chromium-driver, and tox run -e browser"
        if os.environ.get("WHISPERQ_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)


def start(*arguments: str) -> Any:
    """Return a headless Chromium window of a common size."""
    missing = [name for name in (CHROMIUM, DRIVER) if shutil.which(name) is None]
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        need(*missing, "selenium")
    need(*missing)
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which(CHROMIUM))
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"),
        *("--autoplay-policy=no-user-gesture-required", "--disable-audio-output"),  # a sound card may be absent or hang
        *arguments,
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(shutil.which(DRIVER))))
