"""The ways in which inferences are asked for, as MLPerf Inference names them; their times mean different things.

single-stream: one query after the other, a query being one inference; its latency is what counts.
multi-stream: a query is one inference for each of N streams, all begun at once; it is over when the last has answered,
and then the next begins, as with N faces in a frame.
offline: all the work is there from the start and no answer is waited for, so that only the throughput counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

SINGLE, MULTI, OFFLINE = "single-stream", "multi-stream", "offline"
SCENARIOS = (SINGLE, MULTI, OFFLINE)
WARMUP_RUNS = 20
WARMUP_S = 0.2
MAX_SAMPLES = 200_000
"""A round ends here even when its time is not over: 200,000 samples of a very small model say all there is to say."""
EMPTY_RUNS = 2000
"""Calls that do nothing, to tell what the measuring itself takes."""
MAX_STREAMS = 64
NS_PER_S = 1e9

Call = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Timed:
    """What one round measured, nanoseconds.

    samples: one per query, in offline one per call. elapsed: from the first to the last, with all that lay between.
    empty: what a sample of doing nothing reads.
    """

    first: int
    warmup: list[int]
    samples: list[int]
    elapsed: int
    empty: int


def timed(scenario: str, calls: Sequence[Call], min_runs: int, min_seconds: float, clock: Clock) -> Timed:
    """First query, warm-up, steady queries, and then what the harness itself takes; one call per stream."""
    if scenario == OFFLINE:
        return _offline(calls, min_runs, min_seconds, clock)
    if scenario == SINGLE:
        return _queries(calls[0], _nothing, min_runs, min_seconds, clock)
    with closing(Streams(calls)) as streams, closing(Streams([_nothing] * len(calls))) as idle:
        return _queries(streams.query, idle.query, min_runs, min_seconds, clock)


def sample(call: Call, min_runs: int, min_seconds: float, clock: Clock) -> list[int]:
    """Nanoseconds of each call, until time and count are both reached, or MAX_SAMPLES."""
    samples: list[int] = []
    begin = clock()
    while True:
        start = clock()
        call()
        end = clock()
        samples.append(round((end - start) * NS_PER_S))
        enough = len(samples) >= min_runs and end - begin >= min_seconds
        if enough or len(samples) >= MAX_SAMPLES:
            return samples


class Streams:
    """A thread per stream; `query` lets each make its call once and returns when the last is done.

    Two locks per stream hand the turn over and back, the quickest that Python has. To be closed.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        """Start the threads, which wait."""
        self._calls = calls
        self._turns = [threading.Lock() for _ in calls]
        self._answers = [threading.Lock() for _ in calls]
        for lock in (*self._turns, *self._answers):
            lock.acquire()
        self._over = False
        self._failures: list[Exception] = []
        self._threads = [threading.Thread(target=self._work, args=(i,), daemon=True) for i in range(len(calls))]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let the threads end."""
        self._over = True
        self._hand_over()
        for thread in self._threads:
            thread.join()

    def query(self) -> None:
        """One call per stream, all at once; raises what a call raised."""
        self._hand_over()
        for lock in self._answers:
            lock.acquire()
        if self._failures:
            raise self._failures[0]

    def _hand_over(self) -> None:
        for lock in self._turns:
            lock.release()

    def _work(self, number: int) -> None:
        call, turn, answer = self._calls[number], self._turns[number], self._answers[number]
        while True:
            turn.acquire()
            if self._over:
                return
            try:
                call()
            except Exception as error:  # noqa: BLE001 - raised again by the thread that asked
                self._failures.append(error)
            answer.release()


def _queries(query: Call, empty: Call, min_runs: int, min_seconds: float, clock: Clock) -> Timed:
    first = sample(query, 1, 0.0, clock)[0]
    warmup = sample(query, WARMUP_RUNS, WARMUP_S, clock)
    begin = clock()
    samples = sample(query, min_runs, min_seconds, clock)
    elapsed = round((clock() - begin) * NS_PER_S)
    return Timed(first, warmup, samples, elapsed, _middle(sample(empty, EMPTY_RUNS, 0.0, clock)))


def _offline(calls: Sequence[Call], min_runs: int, min_seconds: float, clock: Clock) -> Timed:
    """Every stream calls again as soon as it has its answer; they all stop together."""
    first = sample(calls[0], 1, 0.0, clock)[0]
    warmup = _together(calls, WARMUP_RUNS, WARMUP_S, clock).samples
    steady = _together(calls, min_runs, min_seconds, clock)
    return Timed(first, warmup, steady.samples, steady.elapsed, _middle(sample(_nothing, EMPTY_RUNS, 0.0, clock)))


@dataclass
class _Steady:
    samples: list[int] = field(default_factory=list)
    elapsed: int = 0


def _together(calls: Sequence[Call], min_runs: int, min_seconds: float, clock: Clock) -> _Steady:
    found = _Steady()
    begin = clock()

    def stream(call: Call) -> None:
        while True:
            start = clock()
            call()
            end = clock()
            found.samples.append(round((end - start) * NS_PER_S))
            enough = len(found.samples) >= min_runs and end - begin >= min_seconds
            if enough or len(found.samples) >= MAX_SAMPLES:
                return

    if len(calls) == 1:
        stream(calls[0])
    else:
        with ThreadPoolExecutor(len(calls)) as pool:
            list(pool.map(stream, calls))
    found.elapsed = round((clock() - begin) * NS_PER_S)
    return found


def _nothing() -> None:
    """What the harness times to learn what it takes itself."""


def _middle(samples: list[int]) -> int:
    return sorted(samples)[len(samples) // 2]
