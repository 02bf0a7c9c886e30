"""Every recipe trains a little on real faces, converts, and runs on the device's code; one table tells how it went.

    python tests/system/every_recipe.py --data fer2013 --out build/recipes [RECIPE...]

A recipe whose report used other pictures is given FER2013's labels and split, and the large ones a smaller input, as
the table's last column tells: this proves that each one works, not what it reaches. Weights, multiply-accumulates and
time are those of the recipe as it is. What is done is not done again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REFERENCE = "uaslp-cnn"
"""Times are given relative to this recipe's, in the same run."""
OTHER_DATA = ("labels=fer2013", "data.split=official", "data.validation=0.0", "data.test=0.0")
DRAWN = "model.weights=none"
EQUAL = "fit.class_weight=none"
SMALL_BATCH = "fit.batch=16"
"""A net with running means in every block needs some hundred steps until they are true."""
CHANCE = 1 / 7
JUDGED_EVERY = 5
"""Of FER2013's test pictures every fifth judges a conversion, which the large nets would take long over."""
PREDICTED = 9


@dataclass(frozen=True)
class Trial:
    """How much of a recipe is run: `limit` pictures of each part, and what is changed."""

    epochs: int
    limit: int
    changes: tuple[str, ...] = ()


TRIALS = {
    "uaslp-cnn": Trial(4, 7000, OTHER_DATA),
    "uaslp-dnn": Trial(6, 14000, OTHER_DATA),
    "uaslp-resnet50-svm": Trial(1, 1400, (*OTHER_DATA, DRAWN, "preprocess.size=64")),
    "porto-cnn8": Trial(4, 3500, (SMALL_BATCH, "fit.learning_rate=0.01")),
    "porto-resnet50": Trial(3, 2100, (SMALL_BATCH, "fit.learning_rate=0.01")),
    "porto-resnet50-imagenet": Trial(3, 2100, (DRAWN, SMALL_BATCH, "fit.learning_rate=0.01")),
    "buffalo-cnn": Trial(4, 7000),
    "buffalo-resnet": Trial(4, 2800),
    "buffalo-googlenet": Trial(4, 2100, (EQUAL, "fit.learning_rate=1e-3")),
    "buffalo-unet": Trial(3, 1400, (EQUAL, "preprocess.size=32")),
    "buffalo-newnet": Trial(3, 1400, (EQUAL, "preprocess.size=32", "fit.learning_rate=1e-2")),
    "buffalo-roglenet": Trial(3, 1400, (EQUAL, "preprocess.size=32", "fit.learning_rate=1e-2")),
    "tmu-resnet50": Trial(3, 1400, (*OTHER_DATA, DRAWN, "model.frozen=0", "preprocess.size=64", SMALL_BATCH)),
    "cmu-cnn5": Trial(6, 3500, OTHER_DATA),
    "cmu-resnet18": Trial(4, 1400, (*OTHER_DATA, DRAWN, "preprocess.size=64", SMALL_BATCH)),
    "fernet-s": Trial(4, 2800, (SMALL_BATCH, "fit.learning_rate=0.02")),
}


def main() -> int:
    """Run what is missing and print the table; 1 when a recipe failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="default: all")
    parser.add_argument("--data", required=True, type=Path, help="FER2013 as folders")
    parser.add_argument("--out", required=True, type=Path, help="folder for runs and bundles")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    judged = some_of(arguments.data, arguments.out / "judged")
    rows = [row(name, arguments.data, judged, arguments.out) for name in arguments.recipes or TRIALS]
    print(table(rows, arguments.out))
    return int(any("failed" in each for each in rows))


def some_of(data: Path, folder: Path) -> Path:
    """A folder of links to every fifth test picture."""
    for picture in sorted((data / "test").glob("*/*.*"))[::JUDGED_EVERY]:
        link = folder / "test" / picture.parent.name / picture.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(picture.resolve())
    return folder


def row(name: str, data: Path, judged: Path, out: Path) -> dict[str, str]:
    """Weigh, train, convert, predict; a step that fails ends the row with its last line."""
    trial, run, bundle = TRIALS[name], out / name, out / f"{name}.bundle"
    train = ["run", name, "--data", str(data), "--out", str(run), "--epochs", str(trial.epochs)]
    train += ["--limit", str(trial.limit), "--resume", *(f"--set={change}" for change in trial.changes)]
    convert = [str(run), "--calibrate", str(data), "--evaluate", f"folder:{judged}", "--out", str(bundle), "--force"]
    convert += ["--calibration-n", "300", "--max-drop", "100", "--min-agreement", "0"]
    pictures = sorted((data / "test").glob("*/*.*"))[:: max(1, 3589 // PREDICTED)][:PREDICTED]
    predict = ["predict", *map(str, pictures), "--model", str(bundle), "--detector", "whole", "--events", "-"]
    changed = " ".join(trial.changes)
    failed = {"recipe": name, "changes": changed}
    if not (out / f"{name}.cost.json").exists() and (problem := cost(name, out / f"{name}.cost.json")):
        return {**failed, "failed": problem}
    if not (run / "metrics.json").exists() and (problem := command("fer_train", train, out / f"{name}.log")):
        return {**failed, "failed": problem}
    if not (bundle / "bundle.json").exists() and (
        problem := command("fer_convert", [*convert, "--json", str(out / f"{name}.json")], out / f"{name}.convert.log")
    ):
        return {**failed, "failed": problem}
    if problem := command("fer_edge", predict, out / f"{name}.events.jsonl"):
        return {**failed, "failed": problem}
    return {"recipe": name, "changes": changed, **figures(name, run, out)}


def cost(name: str, path: Path) -> str:
    """Write weights, multiply-accumulates and a step's time; the last line of what went wrong, or nothing."""
    script = Path(__file__).with_name("step_time.py")
    done = subprocess.run([sys.executable, str(script), name], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        path.write_text(done.stdout, encoding="utf-8")
        return ""
    return f"{script.name} ended with {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"


def command(package: str, arguments: Sequence[str], log: Path) -> str:
    """The last line of what went wrong, or nothing."""
    print(f"{package} {' '.join(arguments)}", file=sys.stderr, flush=True)
    code = f"import sys; from {package}.cli import main; sys.exit(main())"
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], stdout=file, stderr=subprocess.STDOUT, check=False
        )
    lines = log.read_text(encoding="utf-8").strip().splitlines() or [""]
    return "" if done.returncode == 0 else f"{package} ended with {done.returncode}: {lines[-1]}"


def figures(name: str, run: Path, out: Path) -> dict[str, str]:
    """What the files of run and bundle say."""
    with (run / "history.csv").open(encoding="utf-8") as file:
        history = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    whole = json.loads((out / f"{name}.cost.json").read_text(encoding="utf-8"))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    converted = {row["precision"]: row for row in json.loads((out / f"{name}.json").read_text())["rows"]}
    events = (out / f"{name}.events.jsonl").read_text(encoding="utf-8").count('"type":"expression"')
    top1 = metrics["rows"][0]["top1"]
    return {
        "weights": f"{whole['weights']:,}",
        "MMAC": f"{whole['macs'] / 1e6:,.1f}",
        "n": f"{TRIALS[name].limit}",
        "epochs": f"{len(history)}",
        "ms": f"{whole['ms_per_picture']:.3f}",
        "validation loss": f"{history[0]['val_loss']:.3f} > {min(row['val_loss'] for row in history):.3f}",
        "top-1": f"{top1:.1%}{'' if top1 > CHANCE else ' (chance)'}",
        "int8 KiB": f"{converted['int8']['size_bytes'] // 1024}",
        "int8 drop": f"{converted['int8']['drop_pp']:+.1f}",
        "device": f"{events} of {PREDICTED}",
    }


COLUMNS = {
    "recipe": "recipe",
    "weights": "weights",
    "MMAC": "MMAC",
    "n": "pictures",
    "epochs": "epochs",
    "time": "time",
    "validation loss": "validation loss",
    "top-1": "top-1",
    "int8 KiB": "int8 KiB",
    "int8 drop": "int8 drop, points",
    "device": "predicted",
    "changes": "changed",
}


def table(rows: list[dict[str, str]], out: Path) -> str:
    """Markdown; time is of one picture of training, relative to the reference's."""
    reference = next((float(row["ms"]) for row in rows if row["recipe"] == REFERENCE and "ms" in row), None)
    for row in rows:
        row["time"] = f"{float(row['s']) / reference:.1f}" if reference and "ms" in row else ""
        row["changes"] = row.get("failed") or row["changes"].replace(" ".join(OTHER_DATA), "FER2013's labels and split")
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row.get(key, "") for key in COLUMNS) + " |" for row in rows]
    text = "\n".join(lines)
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    return text


if __name__ == "__main__":
    sys.exit(main())
