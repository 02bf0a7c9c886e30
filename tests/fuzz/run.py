"""Feed damaged files to everything that reads strangers' files, for as long as is asked.

    python -m fuzz.run --seconds 60 [TARGET...]        (in tests/)

A reader may take a file or refuse it in a sentence. Anything else is a find: an exception of another kind, a crash of
the process, more than TIME_S. It is told with its seed and written into tests/fuzz/finds, to be mended and then kept in
tests/fuzz/mended.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from fer_edge.clock import perf_s
from fer_edge.errors import FerEdgeError
from fuzz import targets
from fuzz.mutations import damaged

HERE = Path(__file__).parent
CORPUS, FINDS, MENDED = HERE / "corpus", HERE / "finds", HERE / "mended"
BATCH = 200
"""Files that one process reads before the next begins: what crashes takes no more with it."""
TIME_S = 120.0
"""Of one batch, TensorFlow's start included."""


def corpus(name: str) -> list[bytes]:
    """The whole files that damage begins with, in order."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def one(name: str, seed: int) -> bytes:
    """The damaged file of a seed."""
    rng = random.Random(f"{name} {seed}")  # noqa: S311 - to be repeatable, not secret
    files = corpus(name)
    return damaged(rng.choice(files), files, rng)


def feed(name: str, data: bytes) -> str:
    """What came of it: "" for taken, else the sentence; raises what is no sentence."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            targets.TARGETS[name](data, Path(folder))
        except FerEdgeError as error:
            if "\n" in str(error) or not str(error):
                raise AssertionError(f"not one sentence: {error!r}") from error
            return str(error)
    return ""


def batch(name: str, first: int) -> None:
    """The seeds of one process; the last line tells how far it came."""
    for seed in range(first, first + BATCH):
        sys.stdout.write(f"{seed}\n")
        sys.stdout.flush()
        feed(name, one(name, seed))


def main() -> int:
    """1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(targets.TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together (60)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--batch", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.batch:
        batch(arguments.targets[0], arguments.first)
        return 0
    names = arguments.targets or list(targets.TARGETS)
    finds = sum(_campaign(name, arguments.first, arguments.seconds / len(names)) for name in names)
    return int(finds > 0)


def _campaign(name: str, first: int, seconds: float) -> int:
    began, seed, finds = perf_s(), first, 0
    while perf_s() - began < seconds:
        finds += _process(name, seed)
        seed += BATCH
    sys.stdout.write(f"{name}: {seed - first} files, {finds} finds\n")
    return finds


def _process(name: str, first: int) -> int:
    command = [sys.executable, "-m", "fuzz.run", name, "--batch", "--first", str(first)]
    try:
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, timeout=TIME_S, check=False)
    except subprocess.TimeoutExpired as error:
        return _find(name, error.output or b"", f"longer than {TIME_S:g} s")
    if done.returncode == 0:
        return 0
    lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"ended with {done.returncode}"]
    return _find(name, done.stdout, lines[-1])


def _find(name: str, told: bytes, why: str) -> int:
    seed = int(told.split()[-1]) if told.split() else 0
    FINDS.mkdir(exist_ok=True)
    (FINDS / f"{name}-{seed}").write_bytes(one(name, seed))
    sys.stdout.write(f"{name}, seed {seed}: {why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
