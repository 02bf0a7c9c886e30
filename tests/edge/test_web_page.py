"""The page in a real browser, headless and driven by its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fer_edge.events import plain
from fer_edge.privacy import PrivacySettings
from support.http import LABELS, TOKEN, WALL, Paced, face, serving, started, token_file

aiohttp = pytest.importorskip("aiohttp")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",  # the tests may run as root, in a container; the page is our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
)
PATIENCE_S = 60.0
LOOK_S = 0.1
"""Between two looks at the page for what is waited for."""


class Page:
    """One tab: evaluates, waits, photographs, and remembers every request, console message and exception."""

    def __init__(self, socket: Any, session: str, replies: dict[int, asyncio.Future[Any]]) -> None:
        self._socket, self._session, self._replies = socket, session, replies
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def call(self, method: str, **params: Any) -> Any:
        return await _send(self._socket, self._replies, method, params, self._session)

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str) -> Any:
        """The expression's value as soon as it is true; a page that is not there yet is waited for."""
        careful = f"(() => {{ try {{ return {expression}; }} catch {{ return false; }} }})()"

        async def look() -> Any:
            while True:
                with suppress(BetweenPagesError):
                    if found := await self.value(careful):
                        return found
                await asyncio.sleep(LOOK_S)

        try:
            return await asyncio.wait_for(look(), PATIENCE_S)
        except asyncio.TimeoutError:
            text = await self.value("document.body.innerText")
            raise AssertionError(f"never true: {expression}; complaints: {self.complaints}; page: {text}") from None

    async def scheme(self, name: str) -> None:
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def size(self, width_px: int, height_px: int, *, mobile: bool = False) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width_px, height=height_px, deviceScaleFactor=1, mobile=mobile
        )

    async def photograph(self, path: Path) -> None:
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))

    def hear(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{params['entry']['source']}: {params['entry']['text']}")


class BetweenPagesError(AssertionError):
    """The page that was asked is being replaced by the next one."""


def refusal(error: dict[str, Any]) -> AssertionError:
    """What the browser's answer means."""
    between = any(word in error["message"] for word in ("navigated", "context was destroyed", "Cannot find context"))
    return BetweenPagesError(error) if between else AssertionError(error)


_numbers = itertools.count(1)


async def _send(
    socket: Any, replies: dict[int, asyncio.Future[Any]], method: str, params: dict[str, Any], session: str | None
) -> Any:
    number = next(_numbers)
    replies[number] = asyncio.get_running_loop().create_future()
    message = {"id": number, "method": method, "params": params}
    await socket.send_json({**message, "sessionId": session} if session else message)
    return await asyncio.wait_for(replies[number], PATIENCE_S)


@asynccontextmanager
async def tab(devtools: str) -> Any:
    """A new tab in a context of its own, so that no cookie lasts."""
    replies: dict[int, asyncio.Future[Any]] = {}
    pages: dict[str, Page] = {}
    async with aiohttp.ClientSession() as client, client.ws_connect(devtools, max_msg_size=0) as socket:

        async def read() -> None:
            async for raw in socket:
                message = raw.json()
                if (waiting := replies.pop(message.get("id", 0), None)) and not waiting.done():
                    if "error" in message:
                        waiting.set_exception(refusal(message["error"]))
                    else:
                        waiting.set_result(message["result"])
                elif (page := pages.get(message.get("sessionId", ""))) is not None:
                    page.hear(message)

        reading = asyncio.create_task(read())
        context = await _send(socket, replies, "Target.createBrowserContext", {}, None)
        where = {"url": "about:blank", **context}
        target = await _send(socket, replies, "Target.createTarget", where, None)
        attach = {"targetId": target["targetId"], "flatten": True}
        session = (await _send(socket, replies, "Target.attachToTarget", attach, None))["sessionId"]
        pages[session] = Page(socket, session, replies)
        try:
            yield pages[session]
        finally:
            await _send(socket, replies, "Target.disposeBrowserContext", context, None)
            reading.cancel()


@contextmanager
def chromium(profile: Path) -> Iterator[str]:
    """A browser without a window; gives the address of its DevTools."""
    browser = subprocess.Popen(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert browser.stderr is not None
    try:
        found = next(filter(None, (re.search(r"DevTools listening on (ws://\S+)", line) for line in browser.stderr)))
        yield found[1]
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.stderr.close()
        browser.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


def browse(devtools: str, url: str, visit: Callable[[Page], Awaitable[None]]) -> Page:
    """Open the page in a tab of its own and do something with it."""

    async def run() -> Page:
        async with tab(devtools) as page:
            await page.open(url)
            await visit(page)
            return page  # type: ignore[no-any-return]

    return asyncio.run(run())


async def live(page: Page) -> None:
    await page.until("document.getElementById('link').textContent === 'Live'")


def text_of(element: str) -> str:
    return f"document.getElementById('{element}').innerText"


def test_faces_are_shown_with_their_probabilities_and_nothing_complains(devtools: str) -> None:
    async def visit(page: Page) -> None:
        await live(page)
        await page.until("document.querySelectorAll('.face').length === 2")
        first = await page.value("document.querySelector('.face').innerText")
        assert "happy" in first
        assert "face 7" in first
        assert "82 %" in first
        assert await page.value("document.querySelectorAll('.face')[0].querySelectorAll('.row').length") == len(LABELS)
        assert "fernet-s" in await page.value(text_of("model"))
        assert await page.value(text_of("state")) == "running"

    with serving() as served:
        started(served.live)
        with Paced(lambda: served.step(face(7, "happy", 0.82), face(8, "sad", 0.6, size=40.0)), fps=5.0):
            page = browse(devtools, served.url, visit)
        assert page.complaints == []
        assert {url.split("/")[2] for url in page.requests} == {f"127.0.0.1:{served.port}"}


def test_an_event_arrives_while_the_page_is_open(devtools: str) -> None:
    async def visit(page: Page) -> None:
        await live(page)
        told = {"track": 3, "from": "neutral", "label": "surprise"}
        served.live.emit(plain("expression_changed", WALL, **told))
        await page.until(f"{text_of('lately')}.includes('Face 3: neutral → surprise')")

    with serving() as served:
        started(served.live)
        served.step()
        assert browse(devtools, served.url, visit).complaints == []


def test_words_of_the_daemon_are_never_markup(devtools: str) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"

    async def visit(page: Page) -> None:
        await live(page)
        served.live.emit(plain("camera_lost", WALL, reason=evil))
        await page.until(f"{text_of('lately')}.includes('<img src=x')")
        assert await page.value("document.querySelectorAll('img[src=x]').length") == 0
        assert evil in await page.value(text_of("reasons"))
        assert evil in await page.value(text_of("source"))

    with serving() as served:
        started(served.live, source=evil, model=evil)
        served.step(face())
        served.health.report(evil, evil)
        assert browse(devtools, served.url, visit).complaints == []


def test_a_lost_camera_is_said_with_its_reason_and_no_face_stays(devtools: str) -> None:
    async def visit(page: Page) -> None:
        await live(page)
        served.health.camera_lost("no frame for 2 s")
        await page.until(f"{text_of('state')} === 'camera lost'")
        assert "camera: no frame for 2 s" in await page.value(text_of("reasons"))
        assert await page.value("document.querySelectorAll('.face').length") == 0

    with serving() as served:
        started(served.live)
        served.step(face())
        assert browse(devtools, served.url, visit).complaints == []


def test_it_says_that_it_reconnects_and_goes_on_when_the_server_is_back(devtools: str) -> None:
    async def visit(page: Page) -> None:
        await live(page)
        first.server.close()
        await page.until(f"{text_of('link')}.includes('Trying again')")
        with serving(listen=f"127.0.0.1:{port}") as second:
            started(second.live, model="another")
            second.step(face(9, "surprise", 0.9))
            await live(page)
            await page.until(f"{text_of('model')}.includes('another')")

    with serving() as first:
        port = first.port
        started(first.live)
        first.step(face())
        page = browse(devtools, first.url, visit)
    assert [each for each in page.complaints if not each.startswith("network: ")] == []


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_follows_the_readers_light_or_dark(devtools: str, scheme: str, dark: bool) -> None:
    async def visit(page: Page) -> None:
        await page.scheme(scheme)
        await live(page)
        paper, ink = [
            sum(map(int, re.findall(r"\d+", await page.value(f"getComputedStyle(document.body).{name}"))[:3]))
            for name in ("backgroundColor", "color")
        ]
        assert (paper < ink) == dark
        assert abs(paper - ink) > 500

    with serving() as served:
        served.step(face())
        assert browse(devtools, served.url, visit).complaints == []


@pytest.mark.parametrize("width_px", [360, 768, 1400])
def test_nothing_reaches_beyond_the_screen(devtools: str, width_px: int) -> None:
    async def visit(page: Page) -> None:
        await page.size(width_px, 800, mobile=width_px < 500)
        await live(page)
        await page.until("document.querySelectorAll('.face').length === 1")
        assert await page.value("document.documentElement.scrollWidth") <= width_px

    with serving() as served:
        started(served.live, source="rtsp://camera.with.a.very.long.name.example/and/a/very/long/path/to/its/stream")
        served.health.report("mqtt", "x" * 300)
        with Paced(lambda: served.step(face()), fps=5.0):
            assert browse(devtools, served.url, visit).complaints == []


def test_a_picture_is_shown_with_a_notice_only_where_it_is_on(devtools: str) -> None:
    async def with_picture(page: Page) -> None:
        await page.until("document.getElementById('picture').naturalWidth > 0")
        assert await page.value(f"{text_of('notice')}.includes('Pictures are switched on')")

    async def without(page: Page) -> None:
        await live(page)
        assert await page.value("document.getElementById('picture-card').hidden")
        assert await page.value("document.getElementById('notice').hidden")

    with serving(pictures=True) as served, Paced(lambda: served.step(face()), fps=5.0):
        assert browse(devtools, served.url, with_picture).complaints == []
    with serving() as served:
        served.step(face())
        page = browse(devtools, served.url, without)
        assert page.complaints == []
        assert not any("mjpeg" in url for url in page.requests)


def test_in_the_mode_aggregate_the_page_shows_groups_and_no_face(devtools: str) -> None:
    async def visit(page: Page) -> None:
        await live(page)
        served.step(*(face(track) for track in range(1, 7)))
        labels = {**dict.fromkeys(LABELS, 0), "happy": 6, "sad": None}
        served.live.emit(plain("counts", WALL, since="2026-01-01T11:59:00.000Z", people=None, labels=labels))
        await page.until("document.querySelectorAll('#faces .row').length > 0")
        shown = await page.value(text_of("faces"))
        assert re.search(r"happy\s+6", shown)
        assert re.search(r"sad\s+few", shown)
        assert "face 1" not in await page.value("document.body.innerText")

    with serving(PrivacySettings(mode="aggregate")) as served:
        served.step(*(face(track) for track in range(1, 7)))
        assert browse(devtools, served.url, visit).complaints == []


def test_a_person_signs_in_with_the_token_and_out_again(devtools: str, tmp_path: Path) -> None:
    async def visit(page: Page) -> None:
        await page.until("!!document.querySelector('input[name=token]')")
        await _sign_in(page, "a wrong token, surely")
        await page.until("document.body.innerText.includes('That is not the token')")
        await _sign_in(page, TOKEN)
        await live(page)
        assert await page.value("document.cookie") == ""
        await page.until("!document.getElementById('leave').hidden")
        with suppress(BetweenPagesError):  # signing out may replace the page before the click is answered
            await page.value("document.getElementById('leave').click()")
        await page.until("!!document.querySelector('input[name=token]')")

    with serving(token_file=token_file(tmp_path)) as served:
        served.step(face())
        page = browse(devtools, served.url, visit)
        assert not any(TOKEN in url for url in page.requests)
        assert [each for each in page.complaints if "401" not in each] == []


async def _sign_in(page: Page, token: str) -> None:
    await page.value(f"document.querySelector('input[name=token]').value = '{token}'")
    await page.value("document.querySelector('form').requestSubmit()")
