"""The playground in a browser: gradio lays it out, and nobody but this machine is served, or asked for anything."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_whisperq.playground.live import Live
from pytest_whisperq.playground.models import Models
from pytest_whisperq.playground.pages import Pages, exported, problem
from pytest_whisperq.playground.review import Review
from pytest_whisperq.reporting.templates import asset
from pytest_whisperq.speech import audio
from pytest_whisperq.speech.audio import AudioSource
from pytest_whisperq.system import optional_imports
from pytest_whisperq.system.errors import ConfigError, StreamError, WhisperqError

if TYPE_CHECKING:
    from starlette.requests import Request

HOST = "127.0.0.1"

NO_RUN = "To look through a run, save one with pytest … --whisperq-save run.json, and start with --run run.json."

_OURS = frozenset({HOST, "localhost"})
_LARGEST = 8_000_000
"""Bytes of a piece of sound at most: 20 s of stereo at 96 kHz."""

_UPLOAD = "200mb"
_DETECT = "detect"

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "media-src 'self' data: blob:; connect-src 'self' data: blob:; object-src 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Gradio's page needs inline scripts and eval. Whatever it or a transcript would fetch from elsewhere, it cannot."""

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


def check_gradio() -> Any:
    """Return gradio, which then reports nothing; raise `MissingDependency` where there is none."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["OTEL_SDK_DISABLED"] = "true"
    return optional_imports.require("gradio", extra="playground", purpose="show the playground in a browser")


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket of this machine alone; port 0 is any that is free.

    Raises `ConfigError` for a port that is taken.
    """
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"{port} cannot be listened on: {error.strerror or error}",
                where="--port",
                remedy="name another, or 0 for any that is free",
            ) from error
        yield one


def address(one: socket.socket) -> str:
    """Return what to type into a browser."""
    return f"http://{HOST}:{one.getsockname()[1]}"


@contextmanager
def playground(models: Models, review: Review | None) -> Iterator[App]:
    """Yield the application. What browsers upload lies in a folder that is removed at the end."""
    gradio = check_gradio()
    live = Live(models)
    with tempfile.TemporaryDirectory(prefix="whisperq-playground-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield guarded(_application(gradio, models, live, review))
        finally:
            live.close()


def server(app: App) -> Any:
    """Return what serves an application; ``run(sockets=[…])`` does, until it is told to end."""
    uvicorn = optional_imports.require("uvicorn", extra="playground", purpose="serve the playground")
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))


def guarded(app: App) -> App:
    """Refuse what another page, or a name that was bent to this machine, asks for; forbid pages to ask elsewhere."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not _is_ours(headers.get("host", ""), headers.get("origin")):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"only this machine's own page is served"})
            return

        async def forward(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                added = [(b"content-security-policy", _POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await app(scope, receive, forward)

    return serve


def _is_ours(host: str, origin: str | None) -> bool:
    is_here = urlsplit(f"//{host}").hostname in _OURS
    return is_here and (origin is None or urlsplit(origin).netloc == host)


def _application(gradio: Any, models: Models, live: Live, review: Review | None) -> Any:
    fastapi = optional_imports.require("fastapi", extra="playground", purpose="serve the playground")
    app, pages = fastapi.FastAPI(openapi_url=None), Pages(models)
    _add_streams(app, live, pages)
    blocks = _blocks(gradio, models, pages, review)
    blocks.queue(default_concurrency_limit=4)
    theme = gradio.themes.Soft(
        primary_hue="blue",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return gradio.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name=HOST,
        allowed_paths=[],
        show_error=False,
        max_file_size=_UPLOAD,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        theme=theme,
        css=asset("charts.css").partition("}\n}\n")[2] + asset("playground.css"),
        head=f"<script>{asset('playground.js')}</script>",
    )


def _add_streams(app: Any, live: Live, pages: Pages) -> None:
    """Add what the script of the streaming tab asks for; errors are JSON with a text."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    def state(name: str) -> dict[str, Any]:
        view = live.stream(name).view()
        return {"html": pages.live(view), "over": view.is_over, "stopped": view.is_over or bool(view.error)}

    def feed(name: str, body: bytes, rate: int, channels: int) -> dict[str, Any]:
        import numpy as np

        live.stream(name).feed(np.frombuffer(body, "<i2").reshape(-1, channels), rate)
        live.wake()
        return state(name)

    def stop(name: str) -> dict[str, Any]:
        live.stream(name).stop()
        live.wake()
        return state(name)

    def answering(answer: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def handle(request: Request) -> JSONResponse:
            try:
                return JSONResponse(await answer(request))
            except (WhisperqError, ValueError) as error:
                return JSONResponse({"error": str(error)}, status_code=400)

        return handle

    async def begin(request: Request) -> Any:
        return {"id": live.open(request.query_params.get("language") or None)}

    async def take(request: Request) -> Any:
        if not 0 <= int(request.headers.get("content-length", "-1")) <= _LARGEST:
            raise StreamError(f"a piece of more than {_LARGEST} bytes", where="streaming", remedy="send smaller ones")
        asked = request.query_params
        numbers = int(asked["rate"]), max(1, int(asked["channels"]))
        return await run_in_threadpool(feed, request.path_params["name"], await request.body(), *numbers)

    async def end(request: Request) -> Any:
        return await run_in_threadpool(stop, request.path_params["name"])

    async def look(request: Request) -> Any:
        return await run_in_threadpool(state, request.path_params["name"])

    app.add_route("/whisperq/streams", answering(begin), methods=["POST"])
    app.add_route("/whisperq/streams/{name}/stop", answering(end), methods=["POST"])
    app.add_route("/whisperq/streams/{name}", answering(take), methods=["POST"])
    app.add_route("/whisperq/streams/{name}", answering(look), methods=["GET"])


def _blocks(gradio: Any, models: Models, pages: Pages, review: Review | None) -> Any:
    with gradio.Blocks(title="whisperq playground", analytics_enabled=False, delete_cache=(60, 600)) as blocks:
        gradio.HTML(pages.header())
        with gradio.Tab("Full context", id="whole"):
            _whole(gradio, models, pages)
        with gradio.Tab("Streaming", id="streaming"):
            gradio.HTML(pages.recorder(models))
        with gradio.Tab("Corpus", id="corpus"):
            if review is None:
                gradio.HTML(problem(NO_RUN))
            else:
                _corpus(gradio, pages, review)
    return blocks


def _whole(gradio: Any, models: Models, pages: Pages) -> None:
    """Lay out the tab of whole recordings."""

    def hear(path: str | None, language: str) -> str:
        if path is None:
            return ""
        try:
            samples = audio.load(AudioSource(label="the recording", file=path))
            return pages.comparison(models.hear(samples, None if language == _DETECT else language))
        except WhisperqError as error:
            return problem(str(error))

    with gradio.Row():
        sound = gradio.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label="Drop a file, or speak",
            editable=False,
            buttons=[],
            scale=3,
        )
        language = gradio.Dropdown(
            [_DETECT, *models.languages], value=_DETECT, label="language", visible=bool(models.languages), scale=1
        )
    heard = gradio.HTML(elem_id="wq-whole")
    for listen in (sound.change, language.change):
        listen(hear, [sound, language], heard, api_visibility="private")


def _corpus(gradio: Any, pages: Pages, review: Review) -> None:
    """Lay out the tab of a run's utterances."""

    def show(place: int) -> tuple[int, str, str]:
        place = max(0, min(place, len(review) - 1))
        item = review[place]
        said = review.marked(item.id)
        try:
            return place, pages.utterance(review, place), item.reference if said is None else said
        except WhisperqError as error:
            return place, problem(str(error)), item.reference

    def mark(place: int, text: str) -> tuple[int, str, str, str]:
        try:
            review.mark(review[place].id, text)
        except WhisperqError as error:
            return *show(place), problem(str(error))
        return *show(place), ""

    def unmark(place: int) -> tuple[int, str, str, str]:
        review.unmark(review[place].id)
        return *show(place), ""

    def export() -> str:
        try:
            folder = review.export()
        except WhisperqError as error:
            return problem(str(error))
        return exported(folder, len(review.marks))

    place = gradio.State(0)
    utterance = gradio.HTML(elem_id="wq-utterance")
    with gradio.Row():
        before, after = gradio.Button("← Worse"), gradio.Button("Next →", variant="primary")
    with gradio.Row():
        said = gradio.Textbox(label="what is really said (empty: nobody speaks)", scale=4)
        marks, unmarks = gradio.Button("Mark the reference as wrong"), gradio.Button("Unmark")
    with gradio.Row():
        exports = gradio.Button("Export what is marked")
    result = gradio.HTML(elem_id="wq-exported")
    shown = [place, utterance, said]
    hidden = {"api_visibility": "private", "show_progress": "hidden"}
    before.click(lambda at: show(at - 1), place, shown, **hidden)
    after.click(lambda at: show(at + 1), place, shown, **hidden)
    marks.click(mark, [place, said], [*shown, result], **hidden)
    unmarks.click(unmark, place, [*shown, result], **hidden)
    exports.click(export, None, result, **hidden)
    utterance.value, said.value = show(0)[1:]
