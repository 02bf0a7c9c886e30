"""Every recipe trains a little on real faces, converts, and runs on the device's code; one table tells how it went.

    python tests/system/every_recipe.py --data fer2013 --out build/recipes [RECIPE...]

A recipe whose report used other pictures is given FER2013's labels and split, and the large ones a smaller input, as
the table's last column tells: this proves that each one works, not what it reaches. What is done is not done again.
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
BFLOAT16 = "fit.precision=mixed_bfloat16"
OTHER_DATA = ("labels=fer2013", "data.split=official", "data.validation=0.0", "data.test=0.0")
CHANCE = 1 / 7
PREDICTED = 9


@dataclass(frozen=True)
class Trial:
    """How much of a recipe is run: `limit` pictures of each part, and what is changed."""

    epochs: int
    limit: int
    changes: tuple[str, ...] = ()


TRIALS = {
    "uaslp-cnn": Trial(5, 14000, OTHER_DATA),
    "uaslp-dnn": Trial(8, 28709, OTHER_DATA),
    "uaslp-resnet50-svm": Trial(1, 1400, (*OTHER_DATA, "model.weights=none", "preprocess.size=64")),
    "porto-cnn8": Trial(6, 7000),
    "porto-resnet50": Trial(6, 3500, (BFLOAT16,)),
    "porto-resnet50-imagenet": Trial(6, 3500, ("model.weights=none", BFLOAT16)),
    "buffalo-cnn": Trial(4, 7000),
    "buffalo-resnet": Trial(4, 7000),
    "buffalo-googlenet": Trial(5, 3500, (BFLOAT16,)),
    "buffalo-unet": Trial(5, 3500, (BFLOAT16,)),
    "buffalo-newnet": Trial(6, 3500, (BFLOAT16,)),
    "buffalo-roglenet": Trial(4, 3500, (BFLOAT16,)),
    "tmu-resnet50": Trial(5, 2100, (*OTHER_DATA, "model.weights=none", "preprocess.size=96", BFLOAT16)),
    "cmu-cnn5": Trial(6, 3500, (*OTHER_DATA, BFLOAT16)),
    "cmu-resnet18": Trial(5, 2100, (*OTHER_DATA, "model.weights=none", "preprocess.size=96", BFLOAT16)),
    "fernet-s": Trial(4, 7000),
}


def main() -> int:
    """Run what is missing and print the table; 1 when a recipe failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="default: all")
    parser.add_argument("--data", required=True, type=Path, help="FER2013 as folders")
    parser.add_argument("--out", required=True, type=Path, help="folder for runs and bundles")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = [row(name, arguments.data, arguments.out) for name in arguments.recipes or TRIALS]
    print(table(rows, arguments.out))
    return int(any("failed" in each for each in rows))


def row(name: str, data: Path, out: Path) -> dict[str, str]:
    """Train, convert, predict; a step that fails ends the row with its last line."""
    trial, run, bundle = TRIALS[name], out / name, out / f"{name}.bundle"
    train = ["run", name, "--data", str(data), "--out", str(run), "--epochs", str(trial.epochs)]
    train += ["--limit", str(trial.limit), "--resume", *(f"--set={change}" for change in trial.changes)]
    convert = [str(run), "--calibrate", str(data), "--evaluate", str(data), "--out", str(bundle), "--force"]
    convert += ["--calibration-n", "300", "--max-drop", "100", "--min-agreement", "0"]
    pictures = sorted((data / "test").glob("*/*.*"))[:: max(1, 3589 // PREDICTED)][:PREDICTED]
    predict = ["predict", *map(str, pictures), "--model", str(bundle), "--detector", "whole", "--events", "-"]
    changed = " ".join(trial.changes)
    failed = {"recipe": name, "changes": changed}
    if not (run / "metrics.json").exists() and (problem := command("fer_train", train, out / f"{name}.log")):
        return {**failed, "failed": problem}
    if not (bundle / "bundle.json").exists() and (
        problem := command("fer_convert", [*convert, "--json", str(out / f"{name}.json")], out / f"{name}.convert.log")
    ):
        return {**failed, "failed": problem}
    if problem := command("fer_edge", predict, out / f"{name}.events.jsonl"):
        return {**failed, "failed": problem}
    return {"recipe": name, "changes": changed, **figures(name, run, out)}


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
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    converted = {row["precision"]: row for row in json.loads((out / f"{name}.json").read_text())["rows"]}
    events = (out / f"{name}.events.jsonl").read_text(encoding="utf-8").count('"type":"expression"')
    top1 = metrics["rows"][0]["top1"]
    return {
        "weights": f"{metrics['weights']:,}",
        "MMAC": f"{metrics['macs'] / 1e6:,.1f}",
        "n": f"{TRIALS[name].limit}",
        "epochs": f"{len(history)}",
        "s": f"{1000 * min(row['seconds'] for row in history) / TRIALS[name].limit:.2f}",
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
    reference = next((float(row["s"]) for row in rows if row["recipe"] == REFERENCE and "s" in row), None)
    for row in rows:
        row["time"] = f"{float(row['s']) / reference:.2f}" if reference and "s" in row else ""
        row["changes"] = row.get("failed") or row["changes"].replace(" ".join(OTHER_DATA), "FER2013's labels and split")
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row.get(key, "") for key in COLUMNS) + " |" for row in rows]
    text = "\n".join(lines)
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    return text


if __name__ == "__main__":
    sys.exit(main())
