"""The adapter file: what a foreign model or command is, how it is called, and what its labels mean."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from fer_edge import toml
from fer_edge.errors import ConfigError, UsageError
from fer_edge.files import read_up_to
from fer_edge.labels import AFFECTNET8, canonical
from fer_edge.strict import StrictModel

MAX_ADAPTER_BYTES = 64 * 1024
MAX_LABELS = 100
MAX_NAME_CHARS = 40
NONE = "none"
"""What a foreign label is mapped to that is no expression of a face."""
CROP: Final = "classify"
"""What a peer does that can be given one face; FRAME: one frame; CLIP: a whole clip."""
FRAME: Final = "detect+classify"
CLIP: Final = "pipeline"
OURS_ONLY = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")
"""Variables that would lead another interpreter into our packages."""

Text = Annotated[str, Field(min_length=1)]
Option = str | int | float | bool


class Adapter(StrictModel):
    """What the file says.

    does: of CROP, FRAME and CLIP. python, snippet: its interpreter, and the file that it runs. command: what gets a
    clip and writes JSON lines. version: a command that prints the version. labels: its names to ours, or to NONE.
    options: handed to the snippet's `load()`. env: laid over the environment.
    """

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
    does: Annotated[tuple[Literal["classify", "detect+classify", "pipeline"], ...], Field(strict=False, min_length=1)]
    python: Text | None = None
    snippet: Text | None = None
    command: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    version: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    labels: Annotated[dict[str, str], Field(min_length=1, max_length=MAX_LABELS)]
    options: dict[str, Option] = {}
    env: dict[str, str] = {}

    @field_validator("labels")
    @classmethod
    def _known(cls, labels: dict[str, str]) -> dict[str, str]:
        """Theirs to ours by name, in this project's spelling."""
        known = (*AFFECTNET8, NONE)
        unknown = [
            f"{theirs} is mapped to {ours!r}, which is none of {', '.join(known)}{nearest(ours, known)}"
            for theirs, ours in labels.items()
            if canonical(ours) not in known
        ]
        if unknown:
            raise ValueError("; ".join(unknown))
        return {theirs: canonical(ours) for theirs, ours in labels.items()}

    @model_validator(mode="after")
    def _whole(self) -> Adapter:
        if {CROP, FRAME} & set(self.does) and not (self.python and self.snippet):
            raise ValueError(f"a peer that does {CROP} or {FRAME} needs the keys python and snippet")
        if CLIP in self.does and not self.command:
            raise ValueError(f"a peer that does {CLIP} needs the key command")
        if {FRAME, CLIP} <= set(self.does):
            raise ValueError(f"{FRAME} and {CLIP} are two ways to the same row: name one in does")
        return self


@dataclass(frozen=True)
class Peer:
    """An adapter and the folder of its file, from where its paths are told."""

    adapter: Adapter
    folder: Path

    @property
    def name(self) -> str:
        """As the adapter calls it."""
        return self.adapter.name

    def needs(self, *wanted: str) -> None:
        """Raise UsageError when the peer does none of these."""
        if not set(wanted) & set(self.adapter.does):
            does = " and ".join(self.adapter.does)
            raise UsageError(f"peer {self.name} does {does}; here it needs one that does {' or '.join(wanted)}")

    def file(self, text: str) -> str:
        """A path with ~ and $VARIABLES, from the adapter's folder on."""
        # not resolved: an environment's python is a link, and means the environment
        return str(self.folder / os.path.expandvars(os.path.expanduser(text)))

    def program(self, text: str) -> str:
        """The same, but a plain name is looked up as a shell does."""
        return self.file(text) if "/" in text or text.startswith("~") else shutil.which(text) or text

    def python(self) -> str:
        """Its interpreter; whether that exists is told by whoever starts it."""
        return self.program(self.adapter.python or "python3")

    def snippet(self) -> str:
        """The file that its interpreter runs."""
        return self.file(self.adapter.snippet or "")

    def filled(self, command: Sequence[str], **values: str) -> list[str]:
        """A command with {python}, {here} and `values` put in; the program in it as a path."""
        found = [_put(part, {"python": self.python(), "here": str(self.folder), **values}) for part in command]
        return [self.program(found[0]), *found[1:]]

    def environment(self) -> dict[str, str]:
        """Ours, without what belongs to our interpreter alone, and with the adapter's own."""
        ours = self.python() == sys.executable
        kept = {key: value for key, value in os.environ.items() if ours or key not in OURS_ONLY}
        return {**kept, **self.adapter.env}


def read(path: str) -> Peer:
    """Read an adapter file; raises InputError when it is not there, ConfigError with every mistake in it."""
    what = f"peer {path}"
    raw, more = read_up_to(Path(path), MAX_ADAPTER_BYTES, what)
    if more:
        raise ConfigError(f"{what} is larger than {MAX_ADAPTER_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is not TOML: {error}") from None
    found = toml.check(toml.parse(text, what), Adapter, what, lines=toml.lines_of(text))
    return Peer(found, Path(path).resolve().parent)


def read_all(paths: Sequence[str], *wanted: str) -> list[Peer]:
    """Every peer, each able to do one of `wanted`; UsageError for two of one name. To be called before measuring."""
    found = [read(path) for path in paths]
    for peer in found:
        peer.needs(*wanted)
    names = [peer.name for peer in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two peers are called {twice!r}: give one of them another name")
    return found


def nearest(name: str, names: Sequence[str]) -> str:
    """`; did you mean x?`, or nothing."""
    folded = {each.casefold(): each for each in names}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def _put(part: str, values: dict[str, str]) -> str:
    """Not `str.format`: a command may hold braces of its own."""
    for key, value in values.items():
        part = part.replace("{" + key + "}", value)
    return part
