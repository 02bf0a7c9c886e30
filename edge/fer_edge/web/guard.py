"""Who may ask: hosts that are ours, sites that are this one, those who know the token; decided on plain facts."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fer_edge.clock import Clock
from fer_edge.system.secrets import Secret
from fer_edge.web.limits import FAILURES_S, MAX_BODY_BYTES, MAX_FAILURES, MAX_HEADER_BYTES, MAX_REMEMBERED
from fer_edge.web.settings import NAME

COOKIE = "fer_edge"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = frozenset({"/healthz", "/login"})
"""Need no token: the first says only that the process lives, the second is where the token is handed in."""
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_HOST_CHARS = 260


@dataclass(frozen=True)
class Asked:
    """What the guard looks at of a request.

    hosts, origins, fetch_sites, fetch_modes: values of Host, Origin, Sec-Fetch-Site and Sec-Fetch-Mode, one per
    occurrence. address: the client's, or "unix". local: the address it connected to, or "". target: the request's, raw.
    """

    method: str
    target: str
    hosts: Sequence[str]
    address: str
    local: str = ""
    origins: Sequence[str] = ()
    fetch_sites: Sequence[str] = ()
    fetch_modes: Sequence[str] = ()
    authorizations: Sequence[str] = ()
    cookie: str = ""
    header_bytes: int = 0
    body_bytes: int = 0

    @property
    def path(self) -> str:
        """The raw path, as it came: nothing is decoded or made shorter, so that nothing can hide in it."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Refusal:
    """An answer instead of what was asked for."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


class Guard:
    """Looks at each request before anything else does."""

    def __init__(self, names: Sequence[str], token: Secret | None, clock: Clock) -> None:
        """names: host names beside those of the loopback. token: None where none is needed."""
        self._names = LOOPBACK_NAMES | {name.lower() for name in names}
        self._token, self._failures = token, Failures(clock)
        self._cookie = Secret(cookie_of(token)) if token else None

    @property
    def closed(self) -> bool:
        """Whether a token is needed."""
        return self._token is not None

    def refusal(self, asked: Asked) -> Refusal | None:
        """Why a request is not answered; None: it may go on."""
        return self._host(asked) or _size(asked) or _site(asked) or self._stranger(asked)

    def try_token(self, given: str, address: str) -> Refusal | None:
        """Compare a token in constant time, and remember where wrong ones come from; None: it is the right one."""
        key = network_of(address)
        if self._failures.too_many(key):
            return Refusal(429, "too many wrong tokens from this address; wait a minute", _RETRY)
        if self._token is not None and self._token.matches(given):
            return None
        self._failures.add(key)
        return Refusal(401, "that is not the token", _BEARER)

    @property
    def cookie(self) -> str:
        """What a browser that has shown the token carries from then on; the token cannot be had from it."""
        return self._cookie.reveal() if self._cookie else ""

    def _host(self, asked: Asked) -> Refusal | None:
        found = host_of(asked.hosts[0]) if len(asked.hosts) == 1 else None
        ours = found is not None and (found in self._names or (found == asked.local and _is_ip(found)))
        if ours and asked.target.startswith("/"):
            return None
        return Refusal(421, "this server does not answer to that host name; add it to http.names if it is right")

    def _stranger(self, asked: Asked) -> Refusal | None:
        if self._cookie is None or asked.path in OPEN_PATHS or self._cookie.matches(asked.cookie):
            return None
        if not asked.authorizations:
            return Refusal(401, "this needs a token", _BEARER)
        scheme, _, given = asked.authorizations[0].partition(" ")
        if len(asked.authorizations) > 1 or scheme.lower() != "bearer":
            return Refusal(401, "this needs `Authorization: Bearer TOKEN`", _BEARER)
        return self.try_token(given.strip(), asked.address)


_BEARER = {"WWW-Authenticate": "Bearer"}
_RETRY = {"Retry-After": f"{FAILURES_S:.0f}"}


def _size(asked: Asked) -> Refusal | None:
    if asked.header_bytes > MAX_HEADER_BYTES:
        return Refusal(431, f"the headers are larger than {MAX_HEADER_BYTES} bytes")
    if asked.body_bytes > MAX_BODY_BYTES:
        return Refusal(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    return None


def _site(asked: Asked) -> Refusal | None:
    """Another site's page may send its visitor here, and nothing else."""
    foreign = [site for site in asked.fetch_sites if site not in {"same-origin", "none"}]
    visit = asked.method == "GET" and asked.path == "/" and list(asked.fetch_modes) == ["navigate"]
    if foreign and not visit:
        return Refusal(403, "requests from other sites are not answered")
    if asked.method in {"GET", "HEAD"}:
        return None
    if asked.origins:
        fits = len(asked.origins) == 1 and _authority(asked.origins[0]) == asked.hosts[0].lower()
    else:
        fits = list(asked.fetch_sites) == ["same-origin"]
    return None if fits else Refusal(403, "this is only answered to this server's own page")


def _authority(origin: str) -> str | None:
    """Host and port of an Origin header, as a browser writes it; None for `null` and whatever else it is not."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    whole = f"{parts.scheme}://{parts.netloc}"
    return parts.netloc.lower() if parts.scheme in {"http", "https"} and origin.lower() == whole.lower() else None


def host_of(header: str) -> str | None:
    """The host in a Host header, in lower case, IPv6 without brackets; None for anything that is not HOST[:PORT]."""
    if len(header) > _MAX_HOST_CHARS:
        return None
    text = header.lower()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_ip(host) or ":" not in host:
            return None
        return ipaddress.ip_address(host).compressed if _is_port(rest) else None
    host, colon, port = text.partition(":")
    if not _is_port(colon + port):
        return None
    host = host.removesuffix(".")  # the root of DNS, which browsers leave in
    return host if NAME.fullmatch(host) else None


def _is_port(text: str) -> bool:
    """`` or `:PORT`."""
    return not text or (text[0] == ":" and bool(_PORT.fullmatch(text[1:])) and 0 < int(text[1:]) <= 65535)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 address, for those are handed out whole."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))


def cookie_of(token: Secret) -> str:
    """Follows from the token, so that a browser stays known when the daemon starts again; does not lead back to it."""
    return hmac.new(token.reveal().encode(), b"fer-edge cookie 1", hashlib.sha256).hexdigest()


class Failures:
    """When wrong tokens came, per client, for a minute; bounded in clients and in memory."""

    def __init__(self, clock: Clock) -> None:
        """Nobody has failed yet."""
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, key: str) -> None:
        """One more from this client."""
        times = self._times.setdefault(key, deque(maxlen=MAX_FAILURES))
        times.append(self._clock.monotonic_s())
        self._times.move_to_end(key)
        if len(self._times) > MAX_REMEMBERED:
            self._times.popitem(last=False)

    def too_many(self, key: str) -> bool:
        """Whether this client has to wait."""
        now_s = self._clock.monotonic_s()
        return sum(now_s - t < FAILURES_S for t in self._times.get(key, ())) >= MAX_FAILURES
