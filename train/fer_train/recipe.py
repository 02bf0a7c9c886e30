"""What a training run does, as one TOML file with a closed set of keys; the same file gives the same run."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from fer_edge import toml
from fer_edge.errors import InputError, UsageError
from fer_edge.labels import label_set
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import StrictModel

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]


class Model(StrictModel):
    """Which architecture of `fer_train.zoo`, its arguments, what it starts from and what of it stays as it is.

    weights: "none" draws them anew, "imagenet" takes those that Keras publishes for the architecture, anything else is
    the path of a weights file. frozen: that many of the first layers with kernels are not trained, nor the batch
    normalisations up to there; -1 freezes all but the layers that the recipe puts on a known trunk.
    """

    architecture: str
    arguments: dict[str, Any] = {}
    weights: str = "none"
    frozen: Annotated[int, Field(ge=-1)] = 0


class Data(StrictModel):
    """Which pictures train, which choose the epoch, and which judge.

    set: the data set of the report, for people. split: "official" takes the data's own parts, "random" pools all
    pictures and deals them anew, classes in equal proportion. validation: share of the training pictures ("official")
    or of all ("random") on which the epoch is chosen; 0 chooses on the test pictures. test: share of all for "random".
    per_class: so many pictures of each class, drawn before the split; 0 takes all.
    """

    set: Literal["any", "fer2013", "affectnet", "rafdb"] = "any"
    split: Literal["official", "random"] = "official"
    validation: Share = 0.0
    test: Share = 0.0
    per_class: Annotated[int, Field(ge=0)] = 0
    seed: int = 1

    @model_validator(mode="after")
    def _something_to_train_on_and_to_test_on(self) -> Data:
        if self.split == "random" and not self.test:
            raise ValueError('split = "random" needs a share of pictures for test, such as test = 0.1')
        if self.split == "official" and self.test:
            raise ValueError('test is a share of pictures for split = "random"; the official split has its own test')
        if self.validation + self.test >= 1.0:
            raise ValueError("validation and test leave nothing to train on")
        return self


class Augmentation(StrictModel):
    """Random changes to training pictures, drawn anew for every picture and epoch.

    flip, erase, blur, lowres: probability of each. rotate_deg, shift (fraction of the side), zoom (0.1 = 0.9 to 1.1),
    shear_deg, brightness, contrast, saturation and hue (fractions; hue 0.1 = 36 degrees of the colour circle):
    half-widths of uniform ranges. fill: what comes in from beyond the edge. mixup, cutmix: alpha of the Beta
    distribution, 0 is off; with both on, each batch takes one of them.
    """

    flip: Fraction = 0.0
    rotate_deg: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    shift: Fraction = 0.0
    zoom: Share = 0.0
    shear_deg: Annotated[float, Field(ge=0.0, lt=60.0)] = 0.0
    fill: Literal["nearest", "reflect", "black"] = "nearest"
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    saturation: Fraction = 0.0
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    erase: Fraction = 0.0
    blur: Fraction = 0.0
    lowres: Fraction = 0.0
    mixup: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    cutmix: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0


class Distill(StrictModel):
    """Learning from other models' outputs (Hinton et al. 2015): teachers are run folders, their outputs are averaged.

    alpha: share of the teachers' word in the loss; temperature softens both sides. views: 0 has the teachers look at
    every batch as the student sees it; with a number they look at each training picture so many times before the first
    epoch, each time changed otherwise, and the mean is what they say of it from then on. This teaches the student to
    say the same of every view, and costs nothing in an epoch.
    """

    teachers: tuple[str, ...]
    alpha: Fraction = 0.7
    temperature: Positive = 3.0
    views: Annotated[int, Field(ge=0, le=1000)] = 0


class Fit(StrictModel):
    """How the weights are found.

    optimizer: "adam-then-sgd" goes over at the beginning of epoch `switch_epoch` (from 1) to SGD with `sgd_rate`.
    "muon" is for convolutions; vectors and the output layer then get AdamW at 0.3 of the rate. momentum: of SGD and
    Muon. weight_decay: decoupled, on kernels only. schedule: "cosine" to 0 over the epochs; "step" multiplies by
    `factor` every `step_epochs`; "plateau" after `patience` epochs without a lower validation loss. loss: "focal" is
    crossentropy weighted by (1 - p)^focal_gamma (Lin et al. 2017). choose: what makes an epoch the best.
    stop_patience: epochs without a better one after which training ends; 0 never. ema: decay of a running mean of the
    weights, which is then what is measured and kept; 0 is off.
    """

    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch: Annotated[int, Field(ge=1, le=65_536)]
    optimizer: Literal["sgd", "adam", "adam-then-sgd", "muon"] = "sgd"
    learning_rate: Positive
    momentum: Fraction = 0.9
    nesterov: bool = True
    switch_epoch: Count = 1
    sgd_rate: Positive = 0.01
    schedule: Literal["cosine", "constant", "step", "plateau"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0.0)] = 0.0
    step_epochs: Count = 10
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    patience: Count = 3
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    loss: Literal["crossentropy", "focal"] = "crossentropy"
    focal_gamma: Annotated[float, Field(ge=0.0)] = 2.0
    label_smoothing: Share = 0.0
    class_weight: Literal["none", "root", "balanced"] = "none"
    choose: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    stop_patience: Annotated[int, Field(ge=0)] = 0
    ema: Share = 0.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = 1


class Svm(StrictModel):
    """A support vector machine on the trunk's features, with scikit-learn's meaning of every key."""

    c: Positive = 1.0
    gamma: Literal["scale", "auto"] | Positive = "scale"
    class_weight: Literal["none", "balanced"] = "balanced"
    seed: int = 42


class Reported(StrictModel):
    """What a paper or an earlier run says of this recipe, and where. ours: choices that the report leaves open."""

    accuracy: Fraction
    macro_f1: Fraction | None = None
    loss: Annotated[float, Field(ge=0.0)] | None = None
    source: str
    ours: tuple[str, ...] = ()


class Recipe(StrictModel):
    """A whole training run. labels: the order of the model's outputs, or the name of a known order.

    `fit` trains with gradients; `svm` instead fits a support vector machine on the features of a trunk as it is.
    """

    name: str
    title: str
    labels: Annotated[tuple[str, ...], BeforeValidator(label_set)]
    model: Model
    data: Data = Data()
    preprocess: PreprocessSpec
    augmentation: Augmentation = Augmentation()
    fit: Fit
    svm: Svm | None = None
    distill: Distill | None = None
    reported: Reported | None = None

    @model_validator(mode="after")
    def _a_support_vector_machine_sees_each_picture_once(self) -> Recipe:
        if self.svm is not None and self.augmentation != Augmentation():
            raise ValueError("[svm] fits the pictures as they are: [augmentation] would change nothing; leave it out")
        if self.svm is not None and self.distill is not None:
            raise ValueError("[svm] learns from labels: [distill] would change nothing; leave it out")
        return self


def names() -> list[str]:
    """The recipes that ship."""
    folder = resources.files("fer_train") / "recipes"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load(name_or_path: str, overrides: list[str] | None = None) -> Recipe:
    """Read a shipped recipe by name or a file by path, with `key.sub=value` overrides in TOML's own syntax.

    Raises UsageError for an unknown name (with the nearest one), InputError for a file that cannot be read and
    ConfigError with every mistake for one that does not fit.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"recipe {path} cannot be read: {error.strerror}") from None
    elif name_or_path in names():
        text = (resources.files("fer_train") / "recipes" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        near = difflib.get_close_matches(name_or_path, names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names())}"
        raise UsageError(f"there is no recipe {name_or_path!r}{hint}")
    return parse(text, name_or_path, overrides or [])


def parse(text: str, origin: str, overrides: list[str]) -> Recipe:
    """Check a recipe's text; `origin` is named in errors."""
    data = toml.parse(text, f"recipe {origin}")
    toml.assign(data, overrides)
    return toml.check(data, Recipe, f"recipe {origin}", strict=False)
