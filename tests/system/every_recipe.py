"""Every recipe trains on real faces, converts to every format, and runs on the device's code; two tables tell how.

    python tests/system/every_recipe.py --data fer2013 --out build/recipes [RECIPE...]

A recipe whose report used other pictures is given FER2013's labels and split; the large nets get a smaller input, and
those that start from ImageNet's weights start from the trunk that porto-resnet50 learned here, as the column of changes
tells. This proves that each one works, not what it reaches. Weights, multiply-accumulates and time are those of the
recipe as it is. What is done is not done again; the tables are of what is there.
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
from typing import Any

REFERENCE = "uaslp-cnn"
"""Times are given relative to this recipe's, in the same run."""
WHOLE = 1_000_000
"""Pictures, of which no part has so many."""
OTHER_DATA = ("labels=fer2013", "data.split=official", "data.validation=0.0", "data.test=0.0")
SMALL = ("preprocess.size=32", "fit.batch=32")
"""A net with running means in every block needs some hundred steps until they are true."""
OFTEN = ("preprocess.size=24", "fit.batch=16")
"""Smaller pictures and more steps, for nets of which a CPU sees few pictures in reasonable time."""
ADAM = ("fit.optimizer=adam", "fit.learning_rate=5e-4")
TRUNK = "porto-resnet50"
FROM_TRUNK = (
    "model.weights={trunk}",
    "preprocess.color=rgb",
    "preprocess.mean=[0.514,0.514,0.514]",
    "preprocess.std=[0.307,0.307,0.307]",
    *SMALL,
)
"""The weights of the trial of `TRUNK`, and pictures prepared as that one saw them."""
GRAFTS = {"buffalo-newnet": "buffalo-unet"}
"""A net that has another's trunk, and starts from what that one learned in its trial."""
GRAFTED = ("model.weights={grafted}",)
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
    "uaslp-cnn": Trial(5, 14000, OTHER_DATA),
    "uaslp-dnn": Trial(40, 14000, OTHER_DATA),
    "porto-cnn8": Trial(5, 7000, ("fit.batch=32", "fit.learning_rate=0.02")),
    "porto-resnet50": Trial(2, WHOLE, (*SMALL, *ADAM)),
    "porto-resnet50-imagenet": Trial(2, 2800, FROM_TRUNK),
    "tmu-resnet50": Trial(3, 2800, (*OTHER_DATA, *FROM_TRUNK)),
    "uaslp-resnet50-svm": Trial(1, 2800, (*OTHER_DATA, *FROM_TRUNK)),
    "cmu-resnet18": Trial(2, 14000, (*OTHER_DATA, *SMALL, "model.weights=none")),
    "cmu-cnn5": Trial(4, 5600, OTHER_DATA),
    "fernet-s": Trial(4, 3500, ("fit.batch=32", "fit.learning_rate=0.02")),
    "fernet-xs": Trial(4, 3500, ("fit.batch=32",)),
    "buffalo-googlenet": Trial(5, 14000, (*SMALL, "fit.learning_rate=1e-3")),
    "buffalo-unet": Trial(4, 7000, (*OFTEN, "fit.learning_rate=3e-4")),
    "buffalo-newnet": Trial(4, 7000, (*OFTEN, *GRAFTED, "fit.optimizer=adam", "fit.learning_rate=3e-4")),
    "buffalo-roglenet": Trial(4, 7000, (*OFTEN, *ADAM)),
    "buffalo-cnn": Trial(30, WHOLE),
    "buffalo-resnet": Trial(26, WHOLE),
}
FORMATS, PRECISIONS = ("tflite", "onnx", "openvino"), ("float32", "int8")


def main() -> int:
    """Run what is missing and print the tables; 1 when a step failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="default: all")
    parser.add_argument("--data", required=True, type=Path, help="FER2013 as folders")
    parser.add_argument("--out", required=True, type=Path, help="folder for runs and bundles")
    parser.add_argument("--train-only", action="store_true", help="leave the conversions for another time")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    judged = some_of(arguments.data, arguments.out / "judged")
    problems = []
    for name in arguments.recipes or TRIALS:
        step = Steps(name, arguments.data, judged, arguments.out)
        problem = step.cost() or step.train() or ("" if arguments.train_only else step.convert() or step.predict())
        problems += [f"{name}: {problem}"] if problem else []
    text = f"{learning(arguments.out)}\n\n{conversions(arguments.out)}\n"
    (arguments.out / "table.md").write_text(text, encoding="utf-8")
    print(text, *problems, sep="\n")
    return int(bool(problems))


def some_of(data: Path, folder: Path) -> Path:
    """A folder of links to every fifth test picture."""
    for picture in sorted((data / "test").glob("*/*.*"))[::JUDGED_EVERY]:
        link = folder / "test" / picture.parent.name / picture.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(picture.resolve())
    return folder


@dataclass(frozen=True)
class Steps:
    """What is done with one recipe; each step gives the last line of what went wrong, or nothing."""

    name: str
    data: Path
    judged: Path
    out: Path

    def cost(self) -> str:
        """Write weights, multiply-accumulates and a training step's time."""
        path = self.out / f"{self.name}.cost.json"
        if path.exists():
            return ""
        script = Path(__file__).with_name("step_time.py")
        done = subprocess.run([sys.executable, str(script), self.name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            path.write_text(done.stdout, encoding="utf-8")
            return ""
        return f"{script.name} ended with {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"

    def train(self) -> str:
        """A run of fer-train."""
        trial, run = TRIALS[self.name], self.out / self.name
        if (run / "metrics.json").exists():
            return ""
        if (self.name in GRAFTS) and (problem := self.graft()):
            return problem
        files = {"trunk": self.out / TRUNK / "model.keras", "grafted": self.grafted}
        quoted = {name: json.dumps(str(path)) for name, path in files.items()}
        changes = [f"--set={change.format(**quoted)}" for change in trial.changes]
        whole = [] if trial.limit == WHOLE else ["--limit", str(trial.limit)]
        asked = ["run", self.name, "--data", str(self.data), "--out", str(run), "--resume", *whole, *changes]
        epochs = [] if self.name.endswith("svm") else ["--epochs", str(trial.epochs)]
        return command("fer_train", [*asked, *epochs], self.out / f"{self.name}.log")

    @property
    def grafted(self) -> Path:
        """A fresh net with another's trunk."""
        return self.out / f"{self.name}.grafted.keras"

    def graft(self) -> str:
        """Write it."""
        script, size = Path(__file__).with_name("graft.py"), OFTEN[0]
        files = [str(self.out / GRAFTS[self.name] / "model.keras"), str(self.grafted)]
        done = subprocess.run(
            [sys.executable, str(script), self.name, *files, size], capture_output=True, text=True, check=False
        )
        return "" if done.returncode == 0 else f"{script.name} ended with {done.returncode}"

    def convert(self) -> str:
        """To three formats in two precisions, judged but not gated."""
        if (self.out / f"{self.name}.bundle" / "bundle.json").exists():
            return ""
        asked = [str(self.out / self.name), "--calibrate", str(self.data), "--evaluate", f"folder:{self.judged}"]
        asked += ["--out", str(self.out / f"{self.name}.bundle"), "--force", "--json", str(self.out / self.json)]
        asked += ["--calibration-n", "300", "--max-drop", "100", "--min-agreement", "0"]
        asked += ["--max-class-drop", "100", "--keep-passing"]
        return command("fer_convert", asked, self.out / f"{self.name}.convert.log")

    @property
    def json(self) -> str:
        """The conversion's figures."""
        return f"{self.name}.json"

    def predict(self) -> str:
        """What the device's code says of a few pictures."""
        pictures = sorted((self.data / "test").glob("*/*.*"))[:: max(1, 3589 // PREDICTED)][:PREDICTED]
        asked = ["predict", *map(str, pictures), "--model", str(self.out / f"{self.name}.bundle")]
        return command("fer_edge", [*asked, "--detector", "whole", "--events", "-"], self.events)

    @property
    def events(self) -> Path:
        """One line per face."""
        return self.out / f"{self.name}.events.jsonl"


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


LEARNING = (
    "recipe",
    "weights",
    "MMAC",
    "time",
    "pictures",
    "epochs",
    "validation loss",
    "top-1",
    "commonest",
    "changed",
)


def learning(out: Path) -> str:
    """Weights, cost and what was learned. time: of one picture of training, relative to the reference's."""
    costs = {name: read(out / f"{name}.cost.json") for name in TRIALS if (out / f"{name}.cost.json").exists()}
    reference = costs.get(REFERENCE, {}).get("ms_per_picture")
    rows = []
    for name, cost in costs.items():
        if not (out / name / "metrics.json").exists():
            continue
        metrics = read(out / name / "metrics.json")
        train, counts = read(out / name / "provenance.json")["starts"][0]["train"], metrics["data"]["counts"]
        losses = validation_losses(out / name / "history.csv")
        best = metrics["rows"][0]["top1"]
        rows.append(
            (
                name,
                f"{cost['weights']:,}",
                f"{cost['macs'] / 1e6:,.1f}",
                f"{cost['ms_per_picture'] / reference:.1f}" if reference else "",
                f"{train['n']:,}",
                str(len(losses)) if len(losses) > 1 else "",
                f"{losses[0]:.3f} → {min(losses):.3f}" if len(losses) > 1 else "",
                f"{best:.1%} of {metrics['data']['n']:,}",
                f"{max(counts.values()) / sum(counts.values()):.1%}",
                told(TRIALS[name].changes),
            )
        )
    return markdown(LEARNING, rows)


def told(changes: Sequence[str]) -> str:
    """What a trial changed, in a few words."""
    text = " ".join(changes)
    text = text.replace(" ".join(OTHER_DATA), "FER2013's labels and split;")
    text = text.replace(" ".join(FROM_TRUNK), f"32 px, batch 32, the trunk and preprocessing of {TRUNK}'s trial")
    text = text.replace(" ".join(SMALL), "32 px, batch 32;").replace(" ".join(ADAM), "Adam at 5e-4")
    text = text.replace(" ".join(OFTEN), "24 px, batch 16;")
    text = text.replace(" ".join(GRAFTED), "the trunk of buffalo-unet's trial;")
    return text.strip("; ")


def validation_losses(path: Path) -> list[float]:
    """One per epoch; none for what is not trained in epochs."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file)]


def conversions(out: Path) -> str:
    """Per recipe and artifact the largest output error, or why there is none."""
    heads = [f"{format_} {precision}" for format_ in FORMATS for precision in PRECISIONS]
    rows = []
    for name in TRIALS:
        if not (out / f"{name}.json").exists():
            continue
        report = read(out / f"{name}.json")
        found = {f"{row['format']} {row['precision']}": cell(row) for row in report["rows"]}
        events = Steps(name, out, out, out).events
        faces = events.read_text(encoding="utf-8").count('"type":"expression"') if events.exists() else 0
        rows.append((name, *[found.get(head, "") for head in heads], f"{faces} of {PREDICTED}"))
    return markdown(("recipe", *heads, "predicted"), rows)


def cell(row: dict[str, Any]) -> str:
    """Largest error of an output and how often the label is the source's."""
    return f"{row['output_error']:.1e}, {row['agreement']:.1%}" if row["passed"] else "; ".join(row["reasons"])


def read(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


if __name__ == "__main__":
    sys.exit(main())
