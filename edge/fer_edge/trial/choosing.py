"""Takes the best artifact and runtime that a child process survived."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from fer_edge.bundle import Bundle
from fer_edge.classifier import Choice
from fer_edge.errors import BundleRefused, RuntimeRefused, RuntimeUnavailable
from fer_edge.system.board import Board
from fer_edge.trial.process import KILLED, LATE, probe
from fer_edge.trial.verdicts import DIED, FILE, REFUSED, RUNS, Verdict, Verdicts, key_of, state_folder

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
"""Of one trial; systemd gives a service 90 s to start."""


def first_that_runs(
    bundle: Bundle,
    choices: Sequence[Choice],
    threads: int,
    *,
    verdicts: Verdicts | None = None,
    environment: Mapping[str, str] | None = None,
) -> Choice:
    """The first of these choices that runs here, by what is remembered or by a trial.

    verdicts: where trials are remembered, None for the usual place. environment: of the child, None for ours. A choice
    that lived but was refused is given back when there is no other: loading it says what is wrong.

    Raises RuntimeUnavailable when every choice ends its process, BundleRefused for files that are not what the
    manifest says.
    """
    verdicts = verdicts or Verdicts(state_folder() / FILE)
    refused: list[Choice] = []
    told: list[str] = []
    wrong: set[str] = set()
    for choice in choices:
        artifact = choice[1]
        if artifact.id in wrong:  # another runtime of its format computes the same
            continue
        verdict, lasting = known(bundle, choice, threads, verdicts, environment)
        if verdict.outcome == RUNS:
            for left_out in told:
                log.warning("left out on this board: %s", left_out)
            return choice
        if verdict.outcome == REFUSED:
            refused.append(choice)
            wrong |= {artifact.id} if lasting else set()
        told.append(f"{verdict.what}: {verdict.why}")
    if refused:
        return refused[0]
    raise RuntimeUnavailable(f"nothing can run {bundle.manifest.name} on this board: {'; '.join(told)}")


def known(
    bundle: Bundle, choice: Choice, threads: int, verdicts: Verdicts, environment: Mapping[str, str] | None = None
) -> tuple[Verdict, bool]:
    """What is remembered of a choice, else what `tried` finds; BundleRefused for files that were changed."""
    engine, artifact = choice
    key = key_of(engine, bundle, artifact, threads, Board())
    verdict = verdicts.get(key)
    if verdict is not None:
        return verdict, True
    bundle.read(artifact)
    verdict, lasting = tried(bundle, choice, threads, environment)
    if lasting:
        verdicts.put(key, verdict)
    return verdict, lasting


def tried(
    bundle: Bundle, choice: Choice, threads: int, environment: Mapping[str, str] | None = None
) -> tuple[Verdict, bool]:
    """How a choice did in a child, and whether it would do the same again."""
    engine, artifact = choice
    what = f"{artifact.id} in {engine.name}"
    arguments = ("runtime", engine.name, str(bundle.path.absolute()), artifact.id, str(threads))
    stages, death = probe(arguments, environment, TIMEOUT_S)
    if death is not None:
        return Verdict(what, DIED, death), not death.startswith((LATE, KILLED))
    last = stages[-1]
    if "error" not in last or last.get("kind") == BundleRefused.__name__:  # which no other choice would mend
        return Verdict(what, RUNS), "error" not in last
    why = str(last["error"]).rpartition(f"{what}: ")[2]
    return Verdict(what, REFUSED, why), last.get("kind") == RuntimeRefused.__name__
