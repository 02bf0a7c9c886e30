"""Events and the state to an MQTT broker; nothing is ever subscribed to, so that nobody can command by it.

One thread holds one connection at a time, each with a client of its own: nothing that a strange broker sent outlives
its connection. The client is paho's, without its own thread and its own queue, for those tell neither why a connection
failed nor drop the oldest message.
"""

from __future__ import annotations

import contextlib
import math
import select
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fer_edge.clock import Clock
from fer_edge.errors import ConfigError, RuntimeUnavailable, first_line
from fer_edge.events import SCHEMA_VERSION, Event, stamp
from fer_edge.health import Health, Status
from fer_edge.sinks.homeassistant import OFFLINE, ONLINE, About, availability_topic, discovery, state_topic
from fer_edge.sinks.outbox import Backoff, OutboxSink, Undelivered, as_json
from fer_edge.sinks.settings import MqttSettings
from fer_edge.system.secrets import Secret, read_secret

PART = "mqtt"
WINDOW = 20
"""Messages under way that the broker has not taken yet; the others wait in the outbox."""
ANSWER_S = 10.0
"""How long a broker may take to answer, and to take what is under way, before it counts as gone."""
CONNECT_S = 5.0
"""How long it may take until a connection stands."""
STEADY_S = 10.0
"""A connection that lasts so long was worth it: the pauses begin with the shortest again."""
FAREWELL_S = 0.5
"""Of the time to close, what is kept for the word that the device goes offline."""
TURN_S = 1.0
"""Longest wait for the socket, so that the keepalive is looked after."""
MAX_INBOUND_BYTES = 64 * 1024
"""No packet that a broker sends to a client without subscriptions is longer than a few bytes."""
AVAILABILITY_QOS = 1
"""Whether the device is there has to arrive, whatever the qos of events."""
REFUSALS = {
    "Unsupported protocol version": "does not speak MQTT 3.1.1",
    "Client identifier not valid": "refuses the client id",
    "Server unavailable": "says that it is not available",
    "Bad user name or password": "refuses the user name or the password",
    "Not authorized": "refuses the user name or the password (not authorized)",
}
"""What a broker's answer to CONNECT means, by paho's name for it."""

Rest = Callable[..., dict[int, int]]


class _Info(Protocol):
    """paho's word about one message."""

    rc: Any

    def is_published(self) -> bool: ...


class _Client(Protocol):
    """What is used of `paho.mqtt.client.Client`, whose packets are moved by our own thread."""

    def connect(self, host: str, port: int, keepalive: int) -> Any: ...  # noqa: ANN401 - paho's enum
    def disconnect(self) -> Any: ...  # noqa: ANN401 - paho's enum
    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> _Info: ...
    def socket(self) -> Any: ...  # noqa: ANN401 - a socket, plain or of TLS, or None
    def want_write(self) -> bool: ...
    def loop_read(self) -> Any: ...  # noqa: ANN401 - paho's enum
    def loop_write(self) -> Any: ...  # noqa: ANN401 - paho's enum
    def loop_misc(self) -> Any: ...  # noqa: ANN401 - paho's enum


@dataclass(frozen=True)
class Access:
    """How the broker is reached: where, as whom, and whom to trust."""

    settings: MqttSettings
    password: Secret | None
    tls: ssl.SSLContext | None

    @property
    def where(self) -> str:
        """As messages call it."""
        return f"{self.settings.host}:{self.settings.the_port}"


def open_mqtt(settings: MqttSettings, about: About, *, health: Health, clock: Clock) -> Mqtt:
    """A started sink. Raises ConfigError for a password or certificate that cannot be used, RuntimeUnavailable."""
    if settings.host is None:
        raise ConfigError("MQTT needs mqtt.host, the name or address of the broker")
    _paho()
    password = read_secret(settings.password_file, "the password for MQTT") if settings.password_file else None
    sink = Mqtt(Access(settings, password, _tls(settings)), about, health=health, clock=clock)
    sink.start()
    return sink


class Mqtt(OutboxSink):
    """Publishes events as `PREFIX/event/TYPE`, the state and whether the device is there; see `OutboxSink`."""

    def __init__(
        self, access: Access, about: About, *, health: Health, clock: Clock, backoff: Backoff | None = None
    ) -> None:
        """Nothing is connected yet."""
        super().__init__(PART, access.settings.outbox, health, clock, backoff)
        self._access, self._settings = access, access.settings
        self._discovery = discovery(access.settings, about) if access.settings.discovery else None
        self._content: Event | None = None
        self._state: bytes | None = None
        self._state_waits = False
        self.connections = 0

    def state(
        self,
        status: Status,
        faces: int | None,
        dominant: str | None,
        *,
        fps: float | None = None,
        temperature_c: float | None = None,
    ) -> None:
        """Say how things are now; returns at once. Only the newest state waits, and only a change is sent."""
        content: Event = {
            "state": status.state,
            "reasons": status.reasons,
            "faces": faces,
            "expression": dominant,
            "fps": _rounded(fps),
            "temperature_c": _rounded(temperature_c),
        }
        with self._lock:
            if content == self._content or self._closing.is_set():
                return
            self._content = content
            head = {"schema_version": SCHEMA_VERSION, "time": stamp(self._clock.wall())}
            self._state = as_json({**head, **content})
            self._state_waits = True
            self._ring()

    def _session(self) -> None:
        """One connection: greet, serve, part."""
        link = _Link(self._access, self._clock, self._rest)
        try:
            if not link.open(self._closing.is_set):
                return
            self.connections += 1
            self._trouble.clear()
            self._greet(link)
            self._serve(link)
            self._part(link)
        finally:
            link.drop()
            self._delivered(link.settle())
            self._give_back(link.unsettled())

    def _greet(self, link: _Link) -> None:
        """What a broker without a memory has to be told again."""
        link.publish(availability_topic(self._settings), ONLINE.encode(), AVAILABILITY_QOS, retain=True)
        if self._discovery:
            topic, payload = self._discovery
            link.publish(topic, as_json(payload), self._settings.qos, retain=True)
        with self._lock:
            self._state_waits = self._state is not None

    def _serve(self, link: _Link) -> None:
        """Send what waits and what comes, until closing begins and all of it has arrived."""
        begun_s = self._clock.monotonic_s()
        while (left_s := self._time_left_s() - FAREWELL_S) > 0:
            self._feed(link)
            self._delivered(link.settle())
            if self._closing.is_set() and not (self.waiting or self._state_waits or link.under_way):
                return
            more = bool(self._waiting) and link.under_way < WINDOW
            link.turn(0.0 if more else min(TURN_S, left_s))
            if self._clock.monotonic_s() - begun_s > STEADY_S:
                self._backoff.reset()

    def _feed(self, link: _Link) -> None:
        """Put messages under way as far as the window allows."""
        if link.under_way >= WINDOW:
            return
        with self._lock:
            state, self._state_waits = self._state if self._state_waits else None, False
        if state is not None:
            link.publish(state_topic(self._settings), state, self._settings.qos, retain=True)
        while link.under_way < WINDOW and (events := self._take(1)):
            self._send(link, events[0])

    def _send(self, link: _Link, event: Event) -> None:
        kind = str(event.get("type", "unknown"))
        try:
            payload = as_json(event)
        except (TypeError, ValueError):
            self._lose(1)
            return
        link.publish(f"{self._settings.the_prefix}/event/{kind}", payload, self._settings.qos, event=event)
        if kind == "statistics":
            link.publish(f"{self._settings.the_prefix}/statistics", payload, self._settings.qos, retain=True)

    def _part(self, link: _Link) -> None:
        """Say goodbye; where that does not arrive in time, breaking off makes the broker say it."""
        link.publish(availability_topic(self._settings), OFFLINE.encode(), AVAILABILITY_QOS, retain=True)
        while link.under_way and (left_s := self._time_left_s()) > 0:
            link.turn(left_s)
            self._delivered(link.settle())
        if not link.under_way:
            link.leave()


class _Link:
    """One connection from CONNECT to its end, moved by the thread that calls; raises Undelivered when it breaks."""

    def __init__(self, access: Access, clock: Clock, rest: Rest) -> None:
        self._access, self._clock, self._rest = access, clock, rest
        self._answer: Any = None
        self._messages: deque[tuple[_Info, Event | None]] = deque()
        self._moved_s = 0.0
        self._client = _client(access, self._on_connect)

    @property
    def under_way(self) -> int:
        """Messages that the broker has not taken yet."""
        return len(self._messages)

    def open(self, given_up: Callable[[], bool]) -> bool:
        """Connect and wait for the broker's welcome; False when it is given up before."""
        settings, where = self._access.settings, self._access.where
        try:
            self._client.connect(str(settings.host), settings.the_port, settings.keepalive_s)
        except ssl.SSLCertVerificationError as error:
            raise Undelivered(f"the certificate of {where} is not trusted: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise Undelivered(f"there is no TLS with {where}: {error.reason or first_line(error)}") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or first_line(error)
            raise Undelivered(f"no broker can be reached at {where}: {why}") from None
        begun_s = self._clock.monotonic_s()
        while self._answer is None:
            left_s = begun_s + ANSWER_S - self._clock.monotonic_s()
            if left_s <= 0:
                raise Undelivered(f"{where} takes the connection but does not answer within {ANSWER_S:g} s")
            if given_up():
                return False
            self.turn(min(left_s, TURN_S))
        self._prove_welcome()
        return True

    def publish(
        self, topic: str, payload: bytes, qos: int, *, retain: bool = False, event: Event | None = None
    ) -> None:
        """Put one message under way; `event` comes back by `unsettled` when it does not arrive."""
        if not self._messages:
            self._moved_s = self._clock.monotonic_s()
        info = self._client.publish(topic, payload, qos, retain)
        self._messages.append((info, event))
        if info.rc:
            raise self._lost()

    def settle(self) -> int:
        """Forget what the broker has taken; how many events were among it."""
        rest: deque[tuple[_Info, Event | None]] = deque()
        events = 0
        for info, event in self._messages:
            if not info.rc and info.is_published():
                events += event is not None
            else:
                rest.append((info, event))
        if len(rest) < len(self._messages):
            self._moved_s = self._clock.monotonic_s()
        self._messages = rest
        return events

    def unsettled(self) -> list[Event]:
        """Events that did not arrive, the oldest first."""
        return [event for _, event in self._messages if event is not None]

    def turn(self, seconds: float) -> None:
        """Move packets both ways, waiting for the socket or the outbox for so long."""
        sock = self._client.socket()
        if sock is None:
            raise self._lost()
        wanted = select.POLLIN | (select.POLLOUT if self._client.want_write() else 0)
        held = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        ready = self._rest(0.0 if held else seconds, (sock.fileno(), wanted)).get(sock.fileno(), 0)
        try:
            if held or ready & ~select.POLLOUT:
                self._client.loop_read()
            if ready & select.POLLOUT:
                self._client.loop_write()
            self._client.loop_misc()
            packet = getattr(self._client, "_in_packet", {})
        except Exception:  # noqa: BLE001 - paho raises what it likes at bytes that are not MQTT
            raise Undelivered(f"what answers at {self._access.where} does not speak MQTT") from None
        if packet.get("to_process", 0) > MAX_INBOUND_BYTES:
            raise Undelivered(f"what answers at {self._access.where} sends more than {MAX_INBOUND_BYTES} bytes at once")
        if self._client.socket() is None:
            raise self._lost()
        if self._messages and self._clock.monotonic_s() - self._moved_s > ANSWER_S:
            raise Undelivered(f"the broker at {self._access.where} takes nothing any more")

    def leave(self) -> None:
        """End in peace, so that the broker does not publish the will."""
        with contextlib.suppress(Exception):
            self._client.disconnect()

    def drop(self) -> None:
        """Break off, if it still stands; the broker then publishes the will."""
        sock = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def _on_connect(self, _client: object, _data: object, _flags: object, answer: object, _more: object) -> None:
        self._answer = answer

    def _prove_welcome(self) -> None:
        if self._answer is not None and self._answer.is_failure:
            words = REFUSALS.get(str(self._answer), f"refuses the connection ({self._answer})")
            raise Undelivered(f"the broker at {self._access.where} {words}")

    def _lost(self) -> Undelivered:
        """Why the connection ended, as far as it is known."""
        try:
            self._prove_welcome()
        except Undelivered as error:
            return error
        if self._answer is None:
            return Undelivered(f"{self._access.where} ends the connection before it has answered as a broker does")
        return Undelivered(f"the broker at {self._access.where} ended the connection")


def _client(access: Access, on_connect: Callable[..., None]) -> _Client:
    paho = _paho()
    settings = access.settings
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2,
        client_id=settings.the_client_id,
        clean_session=True,
        protocol=paho.MQTTv311,
        reconnect_on_failure=False,
    )
    client.connect_timeout = CONNECT_S
    client.max_inflight_messages_set(0)  # the window is ours
    client.max_queued_messages_set(2 * WINDOW)  # never reached: a second fence
    client.will_set(availability_topic(settings), OFFLINE, AVAILABILITY_QOS, retain=True)
    client.on_connect = on_connect
    if settings.username:
        client.username_pw_set(settings.username, access.password.reveal() if access.password else None)
    if access.tls:
        client.tls_set_context(access.tls)
        client.tls_insecure_set(settings.tls_insecure)
    made: _Client = client
    return made


def _paho() -> Any:  # noqa: ANN401 - the module
    try:
        import paho.mqtt.client as paho  # noqa: PLC0415 - not in the base install
    except ImportError:
        raise RuntimeUnavailable("MQTT needs paho-mqtt 2: pip install 'fer-edge[mqtt]'") from None
    if not hasattr(paho, "CallbackAPIVersion"):
        raise RuntimeUnavailable("MQTT needs paho-mqtt 2, an older one is installed: pip install 'fer-edge[mqtt]'")
    return paho


def _tls(settings: MqttSettings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"the certificate for MQTT cannot be read from {settings.ca_file}: {why}") from None
    if settings.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _rounded(value: float | None) -> float | None:
    return round(value, 1) if value is not None and math.isfinite(value) else None
