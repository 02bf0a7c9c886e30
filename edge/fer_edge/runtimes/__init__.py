"""The engines that run an artifact, behind one small protocol; each is imported only when it is asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fer_edge.errors import RuntimeUnavailable, UsageError
from fer_edge.types import Array, TensorSpec


class Runtime(Protocol):
    """A loaded model. Not thread-safe: one thread at a time.

    name and version: of the library. threads: for one inference. effective_precision: what is executed ("int8",
    "float32", "dynamic"), not what the file is called.
    """

    name: str
    version: str
    threads: int

    @property
    def input(self) -> TensorSpec:
        """The only input."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, in the model's order."""

    @property
    def effective_precision(self) -> str:
        """What the arithmetic is done in."""

    def infer(self, tensor: Array) -> Sequence[Array]:
        """Run once: the input's dtype and shape in, one array per output back; the caller owns them.

        Raises ValueError when dtype or shape do not fit.
        """


@dataclass(frozen=True)
class Engine:
    """A way to run one format: the module to import, the adapter, and what to install when it is missing."""

    name: str
    format: str
    module: str
    adapter: str
    extra: str

    @property
    def installed(self) -> bool:
        """Whether Python can find it; does not import it."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except (ImportError, ValueError):
            return False


ENGINES = (
    Engine("litert", "tflite", "ai_edge_litert", "fer_edge.runtimes.litert", "pip install fer-edge"),
    Engine(
        "tflite-runtime",
        "tflite",
        "tflite_runtime",
        "fer_edge.runtimes.litert",
        "pip install 'fer-edge[tflite-runtime]'",
    ),
    Engine("tensorflow", "tflite", "tensorflow", "fer_edge.runtimes.litert", "pip install 'fer-edge[train]'"),
    Engine("onnxruntime", "onnx", "onnxruntime", "fer_edge.runtimes.ort", "pip install 'fer-edge[onnx]'"),
    Engine("openvino", "openvino", "openvino", "fer_edge.runtimes.ov", "pip install 'fer-edge[openvino]'"),
)
"""In order of preference within a format."""


def engines_for(runtime: str | None = None) -> tuple[Engine, ...]:
    """The installed engines, best first, or the one that was named.

    Raises UsageError for an unknown name, RuntimeUnavailable (naming the extra) when it is not installed.
    """
    if runtime is None:
        found = tuple(engine for engine in ENGINES if engine.installed)
        if not found:
            raise RuntimeUnavailable(f"no inference runtime is installed: {ENGINES[0].extra}")
        return found
    for engine in ENGINES:
        if engine.name == runtime:
            if not engine.installed:
                raise RuntimeUnavailable(f"the runtime {runtime} is not installed: {engine.extra}")
            return (engine,)
    raise UsageError(f"there is no runtime {runtime!r}; there are {', '.join(engine.name for engine in ENGINES)}")


def engine_for(format_: str, runtime: str | None = None) -> Engine:
    """The engine to use for a format; raises RuntimeUnavailable or UsageError when there is none."""
    for engine in engines_for(runtime):
        if engine.format == format_:
            return engine
    if runtime is not None:
        raise UsageError(f"the runtime {runtime} does not run {format_} artifacts")
    wanted = [engine for engine in ENGINES if engine.format == format_]
    hint = f": {wanted[0].extra}" if wanted else ""
    raise RuntimeUnavailable(f"no runtime for {format_} artifacts is installed{hint}")


def open_runtime(data: Sequence[bytes], format_: str, *, runtime: str | None = None, threads: int = 1) -> Runtime:
    """Load a model from memory.

    data: the artifact's files in the manifest's order. Raises RuntimeUnavailable, UsageError, or RuntimeRefused when
    the engine does not take the bytes.
    """
    engine = engine_for(format_, runtime)
    try:
        adapter = importlib.import_module(engine.adapter)
        opened: Runtime = adapter.open_model(data, engine.module, threads)
    except ImportError as error:
        raise RuntimeUnavailable(f"the runtime {engine.name} is installed but cannot be used: {error}") from None
    return opened
