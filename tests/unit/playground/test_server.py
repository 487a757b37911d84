"""Who is served, and what stays text; gradio itself is tested in a browser (tests/plugin/browser)."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from tone_model import install

from pytest_whisperq.gates.runner import GateRunner
from pytest_whisperq.playground.live import Side, View
from pytest_whisperq.playground.models import Heard, Models
from pytest_whisperq.playground.pages import Pages, exported, problem
from pytest_whisperq.playground.server import HOST, address, guarded, listening
from pytest_whisperq.system.errors import ConfigError

EVIL = "<script>alert(1)</script>\u202e"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


def answer(headers: Mapping[str, str]) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    asyncio.run(guarded(app)(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "127.0.0.1:7860"}, 200),
        ({"host": "localhost:7860", "origin": "http://localhost:7860"}, 200),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:8000"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "https://evil.example"}, 403),
        ({"host": "127.0.0.1:7860", "origin": "null"}, 403),
        ({"host": "evil.example:7860"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({}, 403),
    ],
)
def test_only_pages_of_this_machine_are_served(headers: Mapping[str, str], status: int) -> None:
    assert answer(headers)[0] == status


def test_a_page_may_ask_nobody_else() -> None:
    _, headers = answer({"host": "127.0.0.1:7860"})
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_only_this_machine_is_listened_to_and_a_taken_port_is_told() -> None:
    with listening(0) as one:
        assert one.getsockname()[0] == HOST
        assert address(one) == f"http://127.0.0.1:{one.getsockname()[1]}"
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port: {port} cannot be listened on"), listening(port):
            pass


def test_whatever_is_said_stays_text(start_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    pages = Pages(Models(start_run().session))
    heard = [Heard(text=EVIL, language=EVIL, seconds=1.0, took=0.5)] * 2
    side = Side(committed=EVIL, tentative=EVIL, naive=EVIL, lags=((1.0, 2.0),), backlog=())
    view = View(seconds=1.0, waiting=0, is_over=False, error=EVIL, sides=(side, side))
    shown = [pages.comparison(heard), pages.live(view), problem(EVIL), exported(EVIL, 1)]  # type: ignore[arg-type]
    for page in shown:
        assert "<script" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;" in page


def test_a_comparison_tells_what_differs_and_what_executes(
    start_run: Callable[..., GateRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    models = Models(start_run().session)
    pages = Pages(models)
    texts = ("hold the line", "hold a line now")
    page = pages.comparison([Heard(text=text, language="en", seconds=3.0, took=0.5) for text in texts])
    assert "2 words differ" in page
    assert page.count('<span class="wq-column wq-other">') == page.count('<span class="wq-column wq-added">') == 1
    assert page.count("<dd>6.0</dd>") == 2
    assert "executes int8" in pages.header()
    silent = pages.comparison(models.hear(np.zeros(16_000, np.float32), None))
    assert "no word differs" in silent
    assert "nan" not in silent.casefold()
