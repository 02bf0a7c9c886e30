"""Damage to files: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

LARGEST_GROWTH = 4096
INTERESTING = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f")
WORDS = (b"null", b"-1", b"1e999", b"NaN", b'""', b"[]", b"{}", b"true", b"99999999999999999999", b"\\u0000", b"../x")
"""What a text may hold where something else is expected."""


def damaged(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One to four injuries; others: files of the same kind, parts of which may be put in."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(INJURIES)(data, others, rng)
    return data


def _flip(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    if not data:
        return b"\x00"
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


def _overwrite(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    value = rng.choice(INTERESTING + WORDS)
    place = rng.randrange(len(data) + 1)
    return data[:place] + value + data[place + len(value) :]


def _insert(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(INTERESTING + WORDS) + data[place:]


def _cut(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    first, last = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:first] + data[last:] if rng.random() < 0.5 else data[:first]


def _repeat(data: bytes, _: list[bytes], rng: random.Random) -> bytes:
    first = rng.randrange(len(data) + 1)
    part = data[first : first + rng.randint(1, 64)]
    return data[:first] + part * min(rng.randint(2, 64), LARGEST_GROWTH // max(len(part), 1)) + data[first:]


def _splice(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    other = rng.choice(others)
    first, last = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:first] + other[last : last + LARGEST_GROWTH]


Injury = Callable[[bytes, list[bytes], random.Random], bytes]
INJURIES: tuple[Injury, ...] = (_flip, _overwrite, _insert, _cut, _repeat, _splice)
"""Bit, value, insertion, loss, repetition, and the end of another file."""
