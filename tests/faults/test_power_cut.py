"""Row 13: killed at any step of writing, a file of events and a bundle are old or new, never half."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fer_edge.sinks.jsonl import JsonLines
from support.tiny import tiny_bundle

EVENTS = """
import json, os, signal, sys
from pathlib import Path
from fer_edge.sinks.jsonl import JsonLines

folder, steps = Path(sys.argv[1]), 0
STEPS = ("write", "fsync", "rename", "replace", "open", "close", "ftruncate")

def cut_at(number):
    left = [number]
    def wrap(real):
        def step(*arguments, **more):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)
        return step
    for name in STEPS:
        setattr(os, name, wrap(getattr(os, name)))

def life(place, pipe, number):
    sink = JsonLines(str(place / "events.jsonl"), max_bytes=4096, keep=9)
    if number is not None:
        cut_at(number)
    for i in range(12):
        sink.emit({"i": i, "rest": "x" * 700})
        PIPE_WRITE(pipe, b".")
    os._exit(0)

PIPE_WRITE = os.write
number, ended = 0, []
while True:
    place = folder / str(number)
    place.mkdir()
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        life(place, into, number)
    os.close(into)
    done = len(os.read(out, 1000))
    while more := os.read(out, 1000):
        done += len(more)
    os.close(out)
    _, status = os.waitpid(child, 0)
    ended.append({"place": str(place), "done": done, "killed": os.WIFSIGNALED(status)})
    if not os.WIFSIGNALED(status):
        break
    number += 1
print(json.dumps(ended))
"""
LEAST_STEPS = 15


def lines_of(place: Path) -> list[dict[str, Any]]:
    """All events of a folder's files, the oldest first; every line must be whole."""
    files = sorted(
        place.glob("events.jsonl*"), key=lambda path: -int(path.suffix[1:] if path.suffix[1:].isdigit() else 0)
    )
    return [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def test_events_that_were_taken_are_kept_whole_through_a_rotation(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", EVENTS, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    lives = json.loads(ended.stdout.splitlines()[-1])
    assert len(lives) > LEAST_STEPS
    for life in lives:
        place = Path(life["place"])
        sink = JsonLines(str(place / "events.jsonl"), max_bytes=4096, keep=9)
        sink.emit({"i": "after"})
        sink.close()
        found = [event["i"] for event in lines_of(place)]
        assert found[-1] == "after"
        assert found[:-1][: life["done"]] == list(range(life["done"])), life
        assert len(found) - 1 in {life["done"], life["done"] + 1}, life


BUNDLE = """
import json, os, signal, sys
from pathlib import Path
from fer_edge.bundle import Bundle
from fer_convert import write

STEPS = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "shutil.rmtree", "ctypes.dlsym"}
write._prove = lambda folder: Bundle.open(folder)
out = Path(sys.argv[1])
manifest = Bundle.open(out).manifest.model_copy(update={"name": "newer"})
files = {file.name: (out / file.name).read_bytes() for artifact in manifest.artifacts for file in artifact.files}

def cut_at(number):
    left = [number]
    def cut(event, arguments):
        if event in STEPS:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(cut)

def life(number):
    cut_at(number)
    write.bundle(out, manifest, files, force=True)
    os._exit(0)

names, killed = [], True
while killed:
    child = os.fork()
    if child == 0:
        life(len(names))
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    found = Bundle.open(out)
    for artifact in found.manifest.artifacts:
        found.read(artifact)
    names.append(found.manifest.name)
print(json.dumps(names))
"""


def test_a_bundle_that_is_replaced_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="the extra convert is not installed")
    out = tiny_bundle(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", BUNDLE, str(out)], capture_output=True, text=True, timeout=120, check=True
    )
    names = json.loads(ended.stdout)
    assert len(names) > LEAST_STEPS
    first = names.index("newer")
    assert set(names[:first]) == {"tiny"}
    assert set(names[first:]) == {"newer"}
