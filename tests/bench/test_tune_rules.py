"""The rules of a tuning: who leaves when, who ties, and who wins; all figures are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fer_bench.latency.rows import Trial
from fer_bench.processes.children import Json
from fer_bench.tune import timing
from fer_bench.tune.candidates import Candidate, Drop, gate, stated
from fer_bench.tune.choosing import choose, nearest, ties
from fer_bench.tune.frames import Daemon, Drive
from fer_bench.tune.plan import Limits, Plan
from fer_bench.variants import Variant
from fer_edge.bundle import Artifact, Bundle
from fer_edge.config import Settings, as_toml
from support.tiny import tiny_bundle

NONE = Drop(0.0, None, 0, "the reference")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return Bundle.open(tiny_bundle(tmp_path_factory.mktemp("bundle"))).manifest.artifacts[0]


def candidate(artifact: Artifact, p50_ms: float, threads: int = 1, **more: Any) -> Candidate:
    """Somebody whose short and full rounds say this; p95 is p50 unless told otherwise."""
    variant = Variant(artifact.model_copy(update=more.pop("changed", {})), "litert", threads)
    answer = {
        "samples_ns": [int(p50_ms * 1e6)] * 90 + [int(more.pop("p95_ms", p50_ms) * 1e6)] * 10,
        "warmup_ns": [],
        "load_ms": 1.0,
        "first_ms": 1.0,
        "peak_rss_bytes": int(more.pop("rss_mb", 50) * 1e6),
        "golden_error": 0.0,
        "runtime_version": "0",
        "effective_precision": "float32",
    }
    return Candidate(variant, NONE, Trial(variant, [answer]), Trial(variant, [answer]))


def drive(candidate: Candidate, cpu_ms: tuple[float, ...], period_s: float = 0.3) -> Drive:
    answers: list[Json] = [{"cpu_ms_per_frame": each, "peak_rss_bytes": 100_000_000} for each in cpu_ms]
    return Drive(candidate, period_s, period_s == 0.3, answers)


def test_the_worse_half_leaves_after_the_short_round(artifact: Artifact) -> None:
    given = [candidate(artifact, ms) for ms in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)]
    timing.halve(given, Limits())
    assert [each.left for each in given] == [""] * 5 + ["short round"] * 5
    assert "the better half takes 5 at most" in given[-1].why


def test_nobody_leaves_for_a_difference_that_a_short_round_cannot_tell(artifact: Artifact) -> None:
    given = [candidate(artifact, ms) for ms in (1.0, 1.0, 1.0, 1.0, 1.09, 1.11)]
    timing.halve(given, Limits())
    assert [each.left for each in given] == ["", "", "", "", "", "short round"]


def test_so_few_that_it_is_not_worth_it_all_stay(artifact: Artifact) -> None:
    given = [candidate(artifact, ms) for ms in (1.0, 10.0, 100.0, 1000.0)]
    timing.halve(given, Limits())
    assert not any(each.left for each in given)


def test_who_keeps_the_bound_stays_before_who_is_cheaper(artifact: Artifact) -> None:
    slow_and_cheap = [candidate(artifact, 12.0) for _ in range(4)]
    quick_and_dear = [candidate(artifact, 8.0, threads=4) for _ in range(4)]
    timing.halve([*slow_and_cheap, *quick_and_dear], Limits(p95_ms=10.0))
    assert not any(each.left for each in quick_and_dear)
    assert all("beyond the bound" in each.why for each in slow_and_cheap)


@pytest.mark.parametrize(
    ("pp", "bound", "left"),
    [(0.5, 1.0, ""), (1.0, 1.0, ""), (1.1, 1.0, "drop"), (None, 100.0, "drop"), (-1.0, 0.0, "")],
)
def test_a_drop_beyond_the_bound_or_unknown_is_never_timed(
    artifact: Artifact, pp: float | None, bound: float, left: str
) -> None:
    one = candidate(artifact, 1.0)
    one.drop = Drop(pp, None, 100, "the manifest")
    gate(one, Limits(max_drop_pp=bound))
    assert one.left == left


def test_only_float32_needs_no_figure(artifact: Artifact) -> None:
    assert stated(artifact.model_copy(update={"quality": None})).pp == 0.0
    assert stated(artifact.model_copy(update={"quality": None, "precision": "int8"})).pp is None


def test_the_least_cpu_wins_when_all_its_rounds_are_cheaper(artifact: Artifact) -> None:
    cheap = drive(candidate(artifact, 1.0, threads=4), (5.0, 5.1, 5.2, 5.3))
    dear = drive(candidate(artifact, 1.0), (5.4, 5.5, 5.6, 9.0))
    assert not ties(cheap, dear)
    found = choose([dear, cheap], Limits())
    assert found is not None
    assert found.drive is cheap
    assert "the winner 5.15 ms" in dear.why


def test_a_tie_goes_to_fewer_threads_then_to_the_smaller_file_then_to_the_period_as_it_is(artifact: Artifact) -> None:
    large = artifact.files[0].model_copy(update={"bytes": 10**6})
    rounds = (5.0, 5.5, 6.0, 6.5)
    threads = drive(candidate(artifact, 1.0, threads=2), (4.9, 5.1, 5.2, 5.3))
    heavy = drive(candidate(artifact, 1.0, changed={"files": (large,)}), rounds)
    other = drive(candidate(artifact, 1.0), rounds, period_s=1.0)
    usual = drive(candidate(artifact, 1.0), rounds)
    found = choose([threads, heavy, other, usual], Limits())
    assert found is not None
    assert found.drive is usual
    assert "3 others of 4 cannot be told apart" in found.why
    assert [each.why.rpartition("winner, ")[2] for each in (threads, heavy, other)] == [
        "on more threads",
        "in a larger file",
        "and changes a period for nothing",
    ]


def test_the_nearest_are_told_by_how_far_they_are_beyond(artifact: Artifact) -> None:
    given = [candidate(artifact, 1.0, threads=number) for number in (1, 2, 3, 4)]
    for each, miss in zip(given, (0.5, 0.1, 2.0, 0.2), strict=True):
        each.leave("latency", "is slow")
        each.misses["p95"] = miss
    assert [line.rpartition(" is slow, ")[2] for line in nearest(given, [])] == [
        "10 % beyond",
        "20 % beyond",
        "50 % beyond",
    ]


def test_nothing_leaves_the_machine_while_it_is_tuned(artifact: Artifact, tmp_path: Path) -> None:
    given = Settings.model_validate(
        {
            "mqtt": {"host": "broker.local"},
            "webhook": {"url": "https://example.org/x"},
            "http": {"listen": "127.0.0.1:8080"},
            "privacy": {"mode": "aggregate"},
            "detector": {"name": "haar"},
            "pipeline": {"turns": {"every_s": 0.2}},
        }
    )
    settings = Daemon(Plan("default"), given, tmp_path)._settings(
        candidate(artifact, 1.0), {"full_every_s": 0.7}, tmp_path / "e"
    )
    assert (settings.mqtt.host, settings.webhook.url, settings.http.listen) == (None, None, "off")
    assert (settings.privacy.mode, settings.governor.enabled, settings.camera.pace) == ("events", False, False)
    assert (settings.detector.name, settings.pipeline.turns.every_s) == ("haar", 0.2)
    assert settings.pipeline.search.full_every_s == 0.7
    assert as_toml(settings)
