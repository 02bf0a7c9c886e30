"""Every limit of the web server in one place; docs/reference/http.md lists them, and a test compares."""

from __future__ import annotations

MAX_CONNECTIONS = 64
"""Held at once, the spare one included."""
MAX_PER_ADDRESS = 8
"""Held at once for one address, or one /64 of IPv6; a Unix socket has no addresses and only the total limit."""
SPARE_CONNECTIONS = 1
"""Of the total: kept for health checks from this machine, when it has no other place."""
SPARE_S = 1.0
"""How long a connection may hold the spare place; one that is silent loses it to the next."""
KEEP_ALIVE_S = 5.0
"""A connection without a whole request for so long is closed."""
BODY_S = 5.0
"""In which the body of a request has to arrive."""
WRITE_DEADLINE_S = 5.0
"""A client that takes nothing for so long is cut off."""
USER_TIMEOUT_MS = 5000
"""`TCP_USER_TIMEOUT`: how long the kernel waits for a client that is gone."""
SEND_BUFFER_BYTES = 128 * 1024
"""`SO_SNDBUF`: what the kernel holds for one slow client; Linux doubles the number for its own use."""
RECEIVE_BUFFER_BYTES = 64 * 1024
"""`SO_RCVBUF`: what the kernel takes of a request that nobody reads."""
BACKLOG = 64
"""Connections that wait to be accepted."""
MAX_LINE_BYTES = 4096
"""The request line, and so the URL."""
MAX_FIELD_BYTES = 4096
"""One header."""
MAX_HEADER_BYTES = 8 * 1024
"""All headers together."""
MAX_HEADERS = 64
"""How many headers."""
MAX_BODY_BYTES = 64 * 1024
"""The body of a request."""
LINGER_S = 0.5
"""After an answer that came before the whole request did: time to read the answer, while nothing more is taken."""
MAX_FAILURES = 5
"""Wrong tokens from one address in `FAILURES_S`; after that even the right one is refused until they are old."""
FAILURES_S = 60.0
"""How long a wrong token is remembered."""
MAX_REMEMBERED = 1024
"""Addresses of which wrong tokens are remembered; beyond that the oldest is forgotten."""
MIN_TOKEN_CHARS = 16
"""A shorter token can be guessed."""
MAX_TOKEN_CHARS = 256
"""No sensible token is longer."""
STATE_EVERY_S = 0.25
"""Between two states sent to a page that is open and has frames to show."""
QUIET_STATE_EVERY_S = 1.0
"""The same while no new frame came."""
HEARTBEAT_S = 15.0
"""Between signs of life on a stream of events where nothing happens."""
RETRY_MS = 2000
"""How long a browser waits before it opens a broken stream of events again."""
MAX_PICTURE_PX = 1280
"""Longer side of a picture that is shown; larger ones are scaled down."""
CLOSE_S = 2.0
"""In which the server is gone, whoever is still connected."""
SHUTDOWN_S = 0.5
"""Of that: for answers that are being written."""
