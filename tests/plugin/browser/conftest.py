"""A headless Chromium, where there is one; required in the environment `browser`, and otherwise a bonus."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM, DRIVER = "chromium", "chromedriver"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium window of a common size."""
    missing = [name for name in (CHROMIUM, DRIVER) if shutil.which(name) is None]
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        missing.append("selenium")
    if missing:
        reason = f"needs {', '.join(missing)}: apt-get install chromium chromium-driver, and tox run -e browser"
        if os.environ.get("WHISPERQ_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which(CHROMIUM))
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"),
        *("--autoplay-policy=no-user-gesture-required", "--disable-audio-output"),  # a sound card may be absent or hang
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(shutil.which(DRIVER))))
    yield driver
    driver.quit()
