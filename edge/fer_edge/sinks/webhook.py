"""Events by HTTP POST, as a JSON array of one or more; whoever receives them may be slow, away, or talk rubbish."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult

from fer_edge import __version__
from fer_edge.clock import Clock
from fer_edge.errors import ConfigError, first_line
from fer_edge.events import Event
from fer_edge.health import Health
from fer_edge.sinks.outbox import Backoff, OutboxSink, Undelivered, as_json
from fer_edge.sinks.settings import WebhookSettings, split_url
from fer_edge.system.secrets import Secret, read_secret

PART = "webhook"
REST_S = 3600.0
"""Longest wait for an event."""
UNWANTED = {400, 413, 422}
"""Answers that mean this batch and would come again: it is not sent a second time."""


@dataclass(frozen=True)
class Receiver:
    """Where events go. The path of the address may be a secret, so only the host is ever told."""

    url: SplitResult = field(repr=False)
    token: Secret | None = None
    tls: ssl.SSLContext | None = None

    @property
    def where(self) -> str:
        """As messages call it."""
        return str(self.url.hostname) + (f":{self.url.port}" if self.url.port else "")


def open_webhook(settings: WebhookSettings, *, health: Health, clock: Clock) -> Webhook:
    """A started sink. Raises ConfigError for an address, token or certificate that cannot be used."""
    text = settings.url
    if settings.url_file:
        text = read_secret(settings.url_file, "the address of the webhook").reveal()
    if not text:
        raise ConfigError("the webhook needs webhook.url, or webhook.url_file")
    try:
        url = split_url(text)
    except ValueError as error:
        raise ConfigError(f"webhook.url: {error}") from None
    token = read_secret(settings.token_file, "the token for the webhook") if settings.token_file else None
    if token and not token.reveal().isascii():
        raise ConfigError(f"the token for the webhook in {settings.token_file} has characters that HTTP cannot carry")
    sink = Webhook(Receiver(url, token, _tls(settings, url)), settings, health=health, clock=clock)
    sink.start()
    return sink


class Webhook(OutboxSink):
    """Posts events in batches, the oldest first, each batch until it is taken; see `OutboxSink`.

    A batch may arrive twice: where the answer was lost, nobody knows whether it was taken.
    """

    def __init__(
        self,
        receiver: Receiver,
        settings: WebhookSettings,
        *,
        health: Health,
        clock: Clock,
        backoff: Backoff | None = None,
    ) -> None:
        """Nothing is connected yet."""
        super().__init__(PART, settings.outbox, health, clock, backoff)
        self._receiver, self._settings = receiver, settings
        self._types = None if settings.events is None else frozenset(settings.events)
        self._connection: http.client.HTTPConnection | None = None

    def emit(self, event: Event) -> None:
        """Lay down an event of the chosen types; see `Sink.emit`."""
        if self._types is None or event.get("type") in self._types:
            super().emit(event)

    def _session(self) -> None:
        """Batch after batch."""
        while (left_s := self._time_left_s()) > 0:
            events = self._take(self._settings.batch)
            if not events:
                if self._closing.is_set():
                    return
                self._rest(REST_S)
                continue
            try:
                status = self._post(self._body(events), min(self._settings.timeout_s, left_s))
                self._judge(status)
            except _Refused as error:
                self._lose(len(events))
                raise Undelivered(str(error)) from None
            except Undelivered:
                self._give_back(events)
                raise
            self._delivered(len(events))
            self._backoff.reset()
            self._trouble.clear()

    def _body(self, events: list[Event]) -> bytes:
        try:
            return as_json(events)
        except (TypeError, ValueError):
            raise _Refused("an event is no JSON, and its batch is lost") from None

    def _judge(self, status: int) -> None:
        where = self._receiver.where
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            raise Undelivered(f"{where} answers {status}, a redirect, which is not followed: name the final address")
        if status in UNWANTED:
            raise _Refused(f"{where} answers {status} and does not want the events, which are lost")
        hint = ": is the token right?" if status in {401, 403} else ""
        raise Undelivered(f"{where} answers {status}{hint}")

    def _post(self, body: bytes, seconds: float) -> int:
        """The status of the answer, which has to come within so many seconds."""
        url, where = self._receiver.url, self._receiver.where
        try:
            with self._connected(seconds) as connection:
                target = (url.path or "/") + (f"?{url.query}" if url.query else "")
                connection.request("POST", target, body, self._headers())
                with connection.getresponse() as answer:
                    return answer.status  # what else it says is not read
        except ssl.SSLCertVerificationError as error:
            raise Undelivered(f"the certificate of {where} is not trusted: {error.verify_message}") from None
        except TimeoutError:
            raise Undelivered(f"{where} does not answer within {seconds:.1f} s") from None
        except http.client.RemoteDisconnected:
            raise Undelivered(f"{where} ends the connection without an answer") from None
        except http.client.HTTPException as error:
            raise Undelivered(f"{where} does not answer in HTTP ({type(error).__name__})") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or first_line(error)
            raise Undelivered(f"{where} cannot be reached: {why}") from None

    @contextlib.contextmanager
    def _connected(self, seconds: float) -> Iterator[http.client.HTTPConnection]:
        """A connection that is cut when its time is over: a socket's own timeout begins anew with every byte."""
        url = self._receiver.url
        if url.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                str(url.hostname), url.port, timeout=seconds, context=self._receiver.tls
            )
        else:
            connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=seconds)
        late = threading.Event()

        def expire() -> None:
            late.set()
            _shut_down(connection)

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        try:
            self._connection = connection
            timer.start()
            connection.connect()
            if not late.is_set():
                yield connection
            if late.is_set():  # even where the half of an answer looked like one
                raise TimeoutError
        except (OSError, http.client.HTTPException, ValueError):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
            timer.join()
            self._connection = None
            connection.close()

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": f"fer-edge/{__version__}", "Connection": "close"}
        if self._receiver.token:
            headers["Authorization"] = f"Bearer {self._receiver.token.reveal()}"
        return headers

    def _cut(self) -> None:
        connection = self._connection
        if connection is not None:
            _shut_down(connection)


class _Refused(Exception):  # noqa: N818 - says what happened to the batch
    """The receiver does not want this batch, now or later."""


def _shut_down(connection: http.client.HTTPConnection) -> None:
    """Make every call on its socket return."""
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _tls(settings: WebhookSettings, url: SplitResult) -> ssl.SSLContext | None:
    if url.scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"the certificate for the webhook cannot be read from {settings.ca_file}: {why}") from None
