"""What can be set about the ways out: rotation of the events' file, MQTT, and the webhook."""

from __future__ import annotations

import re
import socket
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator

from fer_edge.events import TYPES
from fer_edge.strict import StrictModel

MIN_FILE_BYTES = 4096
"""Some events of many faces; smaller files would be renamed all the time."""
MAX_FILE_BYTES = 2**40
"""A tebibyte; more is a slip of the pen."""
MAX_FILES = 1000
"""Full files beside the one that is written."""
MQTT_PORT, MQTT_TLS_PORT = 1883, 8883
"""As registered with IANA."""
MQTT_OUTBOX = 100
"""Events that wait for the broker; at two events per second, the best part of a minute."""
WEBHOOK_OUTBOX = 500
"""Events that wait for the webhook's receiver; ten of its batches."""
MAX_OUTBOX = 10_000
"""Events that may wait: some 5 MB."""
MAX_BATCH = 1000
"""Events of one request: some 500 kB."""
MAX_URL_CHARS = 2048
"""Of an address; what servers take in any case."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOPIC = re.compile(r"[^\s+#\x00-\x1f\x7f/$][^\s+#\x00-\x1f\x7f/]*(/[^\s+#\x00-\x1f\x7f/]+)*")
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")


class RotationSettings(StrictModel):
    """The file of events begins anew when a line would take it over `max_bytes`; 0: never.

    keep: how many full files stay beside it, as events.jsonl.1 (the newest) and so on; the oldest goes.
    """

    max_bytes: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)] = 10 * 2**20
    keep: Annotated[int, Field(ge=1, le=MAX_FILES)] = 5

    @field_validator("max_bytes")
    @classmethod
    def _room_for_lines(cls, value: int) -> int:
        if 0 < value < MIN_FILE_BYTES:
            raise ValueError(f"a file has room for {MIN_FILE_BYTES} bytes or more; 0 lets it grow for ever")
        return value


class MqttSettings(StrictModel):
    """The broker, and what is published there; without a host there is no MQTT.

    port: 1883, or 8883 with tls, unless named. password_file: a path, or the name of a systemd credential.
    ca_file: the authority that signed the broker's certificate, in place of the system's. tls_insecure: any
    certificate will do, so that nobody knows who is at the other end. device_id: of the host's name unless named; two
    daemons need two. prefix: of all topics, "fer-edge/DEVICE_ID" unless named. outbox: events that wait while the
    broker is away; the oldest goes. discovery: Home Assistant is told of the device.
    """

    host: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    username: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    password_file: Annotated[str, Field(min_length=1)] | None = None
    tls: bool = False
    ca_file: Annotated[str, Field(min_length=1)] | None = None
    tls_insecure: bool = False
    client_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    device_id: str | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    qos: Annotated[int, Field(ge=0, le=2)] = 1
    prefix: Annotated[str, Field(max_length=200)] | None = None
    outbox: Annotated[int, Field(ge=1, le=MAX_OUTBOX)] = MQTT_OUTBOX
    discovery: bool = False
    discovery_prefix: Annotated[str, Field(max_length=200)] = "homeassistant"

    @field_validator("host")
    @classmethod
    def _bare_host(cls, value: str | None) -> str | None:
        if value is not None and not _HOST.fullmatch(value):
            raise ValueError("a host is a name or an address alone: no mqtt://, no port, no user and password")
        return value

    @field_validator("device_id")
    @classmethod
    def _plain_id(cls, value: str | None) -> str | None:
        if value is not None and not _ID.fullmatch(value):
            raise ValueError("an id is up to 64 letters, digits, - and _")
        return value

    @field_validator("prefix", "discovery_prefix")
    @classmethod
    def _plain_topic(cls, value: str | None) -> str | None:
        if value is not None and not _TOPIC.fullmatch(value):
            raise ValueError("a topic prefix is words with / between them: no spaces, no + or #, no $ or / at its ends")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> MqttSettings:
        if self.password_file and not self.username:
            raise ValueError("password_file needs a username: MQTT 3.1.1 knows no password alone")
        if not self.tls and (self.ca_file or self.tls_insecure):
            raise ValueError("ca_file and tls_insecure need tls = true")
        if self.ca_file and self.tls_insecure:
            raise ValueError("ca_file says whom to trust and tls_insecure to trust anybody: set one of them")
        return self

    @property
    def the_port(self) -> int:
        """As named, or the usual one."""
        return self.port or (MQTT_TLS_PORT if self.tls else MQTT_PORT)

    @property
    def the_device_id(self) -> str:
        """As named, or made of this machine's name."""
        return self.device_id or re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname()).strip("-")[:64] or "fer-edge"

    @property
    def the_prefix(self) -> str:
        """As named, or the device's own."""
        return self.prefix or f"fer-edge/{self.the_device_id}"

    @property
    def the_client_id(self) -> str:
        """As named, or the device's own: a broker throws out the first of two clients with one id."""
        return self.client_id or f"fer-edge-{self.the_device_id}"


class WebhookSettings(StrictModel):
    """Who is told of events by HTTP POST; without an address there is no webhook.

    url_file: where the address itself is a secret, a path or the name of a systemd credential that has it.
    token_file: the same for a bearer token. ca_file: the authority that signed the receiver's certificate, in place of
    the system's. events: types to tell of, all unless named. batch: most events of one request. timeout_s: for a whole
    request. outbox: events that wait while the receiver is away; the oldest goes.
    """

    url: str | None = None
    url_file: Annotated[str, Field(min_length=1)] | None = None
    token_file: Annotated[str, Field(min_length=1)] | None = None
    ca_file: Annotated[str, Field(min_length=1)] | None = None
    events: list[str] | None = None
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH)] = 50
    timeout_s: Annotated[float, Field(gt=0.0, le=60.0)] = 5.0
    outbox: Annotated[int, Field(ge=1, le=MAX_OUTBOX)] = WEBHOOK_OUTBOX

    @field_validator("url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        if value is not None:
            split_url(value)
        return value

    @field_validator("events")
    @classmethod
    def _known_types(cls, value: list[str] | None) -> list[str] | None:
        unknown = sorted(set(value or ()) - set(TYPES))
        if unknown:
            raise ValueError(f"there is no event {', '.join(unknown)}: name some of {', '.join(TYPES)}")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> WebhookSettings:
        if self.url and self.url_file:
            raise ValueError("url and url_file name two addresses: set one of them")
        return self


def split_url(url: str) -> SplitResult:
    """The parts of an http or https address; raises ValueError in words that do not repeat it."""
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"an address is up to {MAX_URL_CHARS} ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("an address is http://HOST[:PORT]/PATH, or the same with https")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address has no user and password in it: put a token into a file and name it by token_file")
    return parts
