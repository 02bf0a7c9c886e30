"""What a board pays before anything is done: the time and the modules of `--help`."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence

import pytest

SHARE = 0.3
"""Of the time that importing numpy and OpenCV takes, at most."""
TURNS = 9
HEAVY = (
    "numpy",
    "cv2",
    "pydantic",
    "pathlib",
    "json",
    "tempfile",
    "asyncio",
    "logging",
    "subprocess",
    "importlib.metadata",
)
MAX_MODULES = 110
"""Of Python's own and ours; Python 3.11 alone begins with some 60."""
VERBS = ("run", "predict", "cameras", "doctor", "models", "config", "service")


def cpu_s(command: Sequence[str]) -> float:
    """Processor time of a child, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_takes_a_fraction_of_what_the_libraries_take() -> None:
    asking = "import sys; from fer_edge.cli import main; sys.argv[1:] = ['--help']; main()"
    pairs = [(cpu_s(["-c", asking]), cpu_s(["-c", "import numpy, cv2"])) for _ in range(TURNS)]
    least = [min(spent) for spent in zip(*pairs, strict=True)]  # what others do on the machine only adds
    assert least[0] <= SHARE * least[1], pairs


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_imports_nothing_heavy(verb: str) -> None:
    code = (
        "import sys\nfrom fer_edge.cli import main\n"
        f"try:\n    main([*{verb.split()!r}, '--help'])\nexcept SystemExit:\n    pass\n"
        f"print(len(sys.modules), *sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", PATHS + code], check=True, capture_output=True, text=True)
    count, *heavy = done.stderr.split()
    assert heavy == []
    assert int(count) <= MAX_MODULES


PATHS = f"import sys\nsys.path[:0] = {[each for each in sys.path if each]!r}\n"
"""Without the site module, which imports what an environment asks for."""
