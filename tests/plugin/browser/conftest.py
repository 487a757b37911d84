"""Windows of a headless Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import start


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium window."""
    driver = start()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def speaking_browser(spoken: Path) -> Iterator[Any]:
    """A Chromium window with a microphone that plays the recording ``spoken`` of a module once, and then is silent."""
    driver = start(
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={spoken}%noloop",
    )
    driver.set_script_timeout(120)
    remember = {"source": "performance.setResourceTimingBufferSize(10000)"}  # all that a page asks for
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", remember)
    yield driver
    driver.quit()
