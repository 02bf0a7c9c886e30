"""How long one inference takes, and whether a lower precision pays: fresh processes, interleaved rounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from fer_bench import stats
from fer_bench.latency.feeding import declared_range
from fer_bench.latency.models import described, open_model, variants
from fer_bench.latency.rows import ScenarioRow, Trial, row_of
from fer_bench.latency.scenarios import MAX_STREAMS, MULTI, OFFLINE, SCENARIOS, SINGLE
from fer_bench.latency.tables import text
from fer_bench.latency.verdicts import judged, of_batch, of_feeding, of_samples
from fer_bench.latency.worker import Job
from fer_bench.machine import stability
from fer_bench.machine.environment import conditions, describe
from fer_bench.processes.children import ChildFailed, Json, ask
from fer_bench.results.report import Report
from fer_bench.variants import Choice, Variant, is_lone
from fer_edge.bundle import Bundle
from fer_edge.clock import SystemClock
from fer_edge.errors import UsageError

__all__ = ["Plan", "Trial", "interleave", "judged", "row_of", "run", "text"]

WORKER = (sys.executable, "-m", "fer_bench.latency.worker")
PROFILER = (sys.executable, "-m", "fer_bench.latency.profile.process")
DEFAULT_STREAMS = {SINGLE: 1, MULTI: 4, OFFLINE: 1}
"""Four: as many faces as a camera in a room sees at once."""
DEFAULT_BATCH = 8

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to measure, and how long: `rounds` processes per variant, each for `min_seconds` and `min_runs` at least.

    bundle, more: bundles by name or path, or single model files. streams: in multi-stream and offline; None takes
    DEFAULT_STREAMS. batch: in offline, of models that leave it open. profile: ask the runtimes afterwards where the
    time goes.
    """

    bundle: str
    choice: Choice = field(default_factory=Choice)
    threads: tuple[int, ...] = (1,)
    min_seconds: float = 2.0
    min_runs: int = 200
    rounds: int = 3
    timeout_s: float = 600.0
    more: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = (SINGLE,)
    streams: int | None = None
    batch: int = DEFAULT_BATCH
    profile: bool = False


def run(plan: Plan, say: Say, worker: Sequence[str] = WORKER, profiler: Sequence[str] = PROFILER) -> Report:
    """Measure; Ctrl-C ends it early with what there is and `complete` False.

    Raises the errors of `models.open_model` and `models.variants`, and UsageError for a plan that makes no sense; what
    goes wrong in a worker is a row with its reason.
    """
    _check(plan)
    names = tuple(dict.fromkeys((plan.bundle, *plan.more)))
    bundles = [open_model(name) for name in names]
    chosen, notes = variants(bundles, names, plan.choice, plan.threads)
    trials = [_trial(plan, variant, scenario) for scenario in dict.fromkeys(plan.scenarios) for variant in chosen]
    started, before = SystemClock().wall(), conditions()
    complete = True
    try:
        interleave(plan, bundles[0], trials, say, worker)
        if plan.profile:
            profile(plan, trials, say, profiler)
    except KeyboardInterrupt:
        complete = False
    environment, after = describe(), conditions()
    rows = judged([row_of(trial) for trial in trials if trial.answers or trial.error])
    busiest = max(plan.threads) * max((trial.streams for trial in trials), default=1)
    notes += stability.of_machine(environment, before, after, busiest) + stability.of_plan(plan.rounds)
    return Report(
        kind="latency",
        options={**asdict(plan), "worker": list(worker)},
        bundle=bundles[0],
        environment=environment,
        started=started,
        before=before,
        after=after,
        rows=rows,
        notes=list(dict.fromkeys([*notes, *(note for row in rows for note in _notes(plan, row))])),
        complete=complete,
        extra=described(bundles),
    )


def interleave(plan: Plan, bundle: Bundle, trials: Sequence[Trial], say: Say, worker: Sequence[str]) -> None:
    """A B C, A B C, ...: what changes on the machine while one measures falls on all variants alike.

    bundle: of the variants that name none.
    """
    for number in range(1, plan.rounds + 1):
        for trial in trials:
            if trial.error is None:
                say(f"round {number} of {plan.rounds}: {trial}: {_once(plan, bundle, trial, worker)}")


def profile(plan: Plan, trials: Sequence[Trial], say: Say, profiler: Sequence[str]) -> None:
    """Ask each variant's runtime where the time goes, once: a scenario does not change what is executed."""
    known: dict[str, Json] = {}
    for trial in trials:
        name = str(trial.variant)
        if name not in known and trial.answers and trial.variant.bundle is not None:
            say(f"profile: {name}")
            try:
                known[name] = ask(profiler, asdict(_job(plan, trial.variant.bundle, trial)), plan.timeout_s)
            except ChildFailed as reason:
                known[name] = {"error": str(reason)}
            trial.profile = known[name]


def _check(plan: Plan) -> None:
    for name in plan.scenarios:
        if name not in SCENARIOS:
            raise UsageError(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    if plan.streams is not None and set(plan.scenarios) <= {SINGLE}:
        raise UsageError("single-stream has one stream; --streams is for multi-stream and offline")
    if plan.streams is not None and not 1 <= plan.streams <= MAX_STREAMS:
        raise UsageError(f"1 to {MAX_STREAMS} streams are possible, found {plan.streams}")


def _trial(plan: Plan, variant: Variant, scenario: str) -> Trial:
    many = scenario != SINGLE and plan.streams is not None
    streams = plan.streams if many and plan.streams is not None else DEFAULT_STREAMS[scenario]
    reals = None
    if variant.bundle is not None and is_lone(variant.artifact):
        reals = declared_range(variant.bundle.path, variant.artifact.format)
    batch = plan.batch if scenario == OFFLINE else 1
    return Trial(variant, scenario=scenario, streams=streams, batch=batch, reals=reals)


def _once(plan: Plan, bundle: Bundle, trial: Trial, worker: Sequence[str]) -> str:
    """One process; its answer goes into the trial, its essence is returned."""
    job = _job(plan, trial.variant.bundle or bundle, trial)
    before = conditions()
    try:
        answer = ask(worker, asdict(job), plan.timeout_s)
    except ChildFailed as reason:
        trial.error = f"round {len(trial.answers) + 1} {reason}"
        return trial.error
    after = conditions()
    trial.answers.append(answer)
    trial.conditions.append((before, after))
    held_back = stability.held_back(before, after)
    return _essence(trial, answer) + (f", INVALID: the board was held back ({held_back})" if held_back else "")


def _essence(trial: Trial, answer: Json) -> str:
    if trial.scenario == OFFLINE:
        return f"{row_of(replace(trial, answers=[answer], conditions=[])).per_second:.1f} per s"
    return f"p50 {stats.percentile(np.asarray(answer['samples_ns']), 50) / stats.NS_PER_MS:.3f} ms"


def _job(plan: Plan, bundle: Bundle, trial: Trial) -> Job:
    artifact, variant = trial.variant.artifact, trial.variant
    return Job(
        bundle=str(bundle.path.resolve()),
        format=artifact.format,
        precision=artifact.precision,
        runtime=variant.runtime,
        threads=variant.threads,
        min_seconds=plan.min_seconds,
        min_runs=plan.min_runs,
        scenario=trial.scenario,
        streams=trial.streams,
        batch=trial.batch,
        sha256=bundle.sha256 if is_lone(artifact) else None,
        reals=trial.reals,
    )


def _notes(plan: Plan, row: ScenarioRow) -> list[str]:
    batch = of_batch(row, plan.batch) if row.scenario == OFFLINE else []
    return [*stability.of_rounds(row.name, row.samples_ns), *of_samples(row), *of_feeding(row), *batch]
