"""The guard decides on plain facts: what it lets through is ours, whatever is thrown at it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.system.secrets import Secret
from fer_edge.web.guard import Asked, Failures, Guard, cookie_of, host_of, network_of
from fer_edge.web.limits import FAILURES_S, MAX_BODY_BYTES, MAX_FAILURES, MAX_HEADER_BYTES, MAX_REMEMBERED
from support.clocks import StillClock
from support.http import TOKEN

OURS = {"localhost", "127.0.0.1", "::1", "pi.local"}
TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
WORDS = (
    *(
        "localhost",
        "127.0.0.1",
        "::1",
        "pi.local",
        "LOCALHOST",
        "[::1]",
        "evil.example",
        "localhost.",
        "::ffff:127.0.0.1",
    ),
    *(".", ":", "8080", "0", "65536", "@", "[", "]", "%", "/", " ", "\0", "\t", "http://", "null", "-"),
    *("127.1", "0x7f.1", "2130706433"),
)
PIECES = st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
HOSTS = st.one_of(TEXT, PIECES)


def guard(token: str | None = None, clock: StillClock | None = None) -> Guard:
    return Guard(("pi.local",), Secret(token) if token else None, clock or StillClock())


def asked(target: str = "/api/state", method: str = "GET", host: str = "localhost", **more: object) -> Asked:
    facts: dict[str, object] = {"hosts": (host,), "address": "127.0.0.1", **more}
    return Asked(method, target, **facts)  # type: ignore[arg-type]


def status(subject: Guard, request: Asked) -> int:
    refusal = subject.refusal(request)
    return refusal.status if refusal else 200


@given(HOSTS)
def test_a_host_that_is_let_through_is_one_of_ours(header: str) -> None:
    if status(guard(), asked(host=header)) == 200:
        found = host_of(header)
        assert found in OURS
        bare = header.lower()
        assert bare.startswith((str(found), f"[{found}]"))
        rest = bare.removeprefix(f"[{found}]").removeprefix(str(found)).removeprefix(".")
        assert rest == "" or (rest[0] == ":" and rest[1:].isdigit() and 0 < int(rest[1:]) <= 65535)


@given(HOSTS, st.lists(HOSTS, max_size=3), HOSTS)
def test_the_guard_answers_whatever_it_is_asked(target: str, hosts: list[str], value: str) -> None:
    request = Asked(
        method=value[:10],
        target=target,
        hosts=hosts,
        address=value,
        local=value,
        origins=hosts,
        fetch_sites=[value],
        authorizations=[f"Bearer {value}"],
        cookie=value,
    )
    assert status(guard(TOKEN), request) in {200, 400, 401, 403, 413, 421, 429, 431}


@given(st.one_of(TEXT, PIECES), st.one_of(TEXT, PIECES))
def test_nobody_comes_in_without_the_token(authorization: str, cookie: str) -> None:
    request = asked(authorizations=(authorization,), cookie=cookie)
    assert status(guard(TOKEN), request) == 401


def test_the_token_and_the_cookie_that_follows_from_it_come_in() -> None:
    subject = guard(TOKEN)
    assert status(subject, asked(authorizations=(f"Bearer {TOKEN}",))) == 200
    assert status(subject, asked(authorizations=(f"bearer  {TOKEN}",))) == 200
    assert status(subject, asked(cookie=subject.cookie)) == 200


@pytest.mark.parametrize(
    "authorizations",
    [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        (TOKEN,),
        (f"Basic {TOKEN}",),
        (f"Bearer {TOKEN}x",),
        (f"Bearer {TOKEN[:-1]}",),
        (f"Bearer {TOKEN.upper()}",),
        (f"Bearer {TOKEN}", f"Bearer {TOKEN}"),
    ],
)
def test_what_is_not_exactly_the_token_stays_outside(authorizations: tuple[str, ...]) -> None:
    assert status(guard(TOKEN), asked(authorizations=authorizations)) == 401


def test_the_cookie_does_not_show_the_token_and_changes_with_it() -> None:
    one, other = cookie_of(Secret(TOKEN)), cookie_of(Secret(TOKEN + "x"))
    assert TOKEN not in one
    assert one != other
    assert cookie_of(Secret(TOKEN)) == one


def test_an_old_cookie_is_no_guess() -> None:
    subject = guard(TOKEN)
    for _ in range(MAX_FAILURES + 5):
        assert status(subject, asked(cookie="0" * 64)) == 401
    assert status(subject, asked(authorizations=(f"Bearer {TOKEN}",))) == 200


def test_without_a_token_none_is_asked_for() -> None:
    assert status(guard(), asked(authorizations=("Bearer anything",), cookie="anything")) == 200


def test_the_address_that_was_connected_to_is_a_host_of_ours_and_its_name_is_not() -> None:
    assert status(guard(), asked(host="192.168.1.5:8080", local="192.168.1.5")) == 200
    assert status(guard(), asked(host="192.168.1.6:8080", local="192.168.1.5")) == 421
    assert status(guard(), asked(host="[2001:db8::1]:8080", local="2001:db8::1")) == 200
    assert status(guard(), asked(host="router.local", local="router.local")) == 421


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"header_bytes": MAX_HEADER_BYTES}, 200),
        ({"header_bytes": MAX_HEADER_BYTES + 1}, 431),
        ({"body_bytes": MAX_BODY_BYTES}, 200),
        ({"body_bytes": MAX_BODY_BYTES + 1}, 413),
        ({"target": "http://localhost/api/state"}, 421),
        ({"target": "*"}, 421),
        ({"target": ""}, 421),
    ],
)
def test_sizes_and_forms_of_requests(facts: dict[str, object], expected: int) -> None:
    assert status(guard(), asked(**facts)) == expected  # type: ignore[arg-type]


def test_the_host_is_looked_at_before_anything_else() -> None:
    evil = asked(host="evil.example", header_bytes=10**9, method="POST", authorizations=("Bearer x",))
    subject = guard(TOKEN)
    assert [status(subject, evil) for _ in range(MAX_FAILURES + 3)] == [421] * (MAX_FAILURES + 3)


def test_failures_are_forgotten_after_a_minute() -> None:
    clock = StillClock()
    failures = Failures(clock)
    for _ in range(MAX_FAILURES):
        assert not failures.too_many("a")
        failures.add("a")
    assert failures.too_many("a")
    assert not failures.too_many("b")
    clock.now_s += FAILURES_S
    assert not failures.too_many("a")


def test_failures_are_remembered_of_a_bounded_number_of_clients() -> None:
    failures = Failures(StillClock())
    for number in range(MAX_REMEMBERED * 2):
        failures.add(str(number))
    assert len(failures._times) == MAX_REMEMBERED


@given(st.ip_addresses())
def test_every_address_belongs_to_one_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert network_of(str(address))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("unix", "unix", True),
    ],
)
def test_one_client_is_an_ipv4_address_or_a_64_of_ipv6(one: str, other: str, alike: bool) -> None:
    assert (network_of(one) == network_of(other)) == alike
