"""A process in which the workstation's libraries cannot be imported: imports all of fer_edge and runs a bundle.

    python -m support.without_workstation BUNDLE

Prints a JSON object: the modules that were imported and the label that was found. A connection to anywhere ends it.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

REFUSED = frozenset(
    {"tensorflow", "keras", "torch", "onnx", "matplotlib", "pandas", "rich", "sklearn"}
    | {"fer_train", "fer_convert", "fer_bench"}
)
EXTRAS = frozenset({"aiohttp", "prometheus_client"})
"""What the page needs and the base install does not bring."""


class Refuser(MetaPathFinder):
    """Stands before every other finder and says no."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ImportError for what is refused; otherwise let the next finder look."""
        if fullname.partition(".")[0] in REFUSED:
            raise ImportError(f"{fullname} is refused on the device")
        return None


def stay_at_home(event: str, _: tuple[object, ...]) -> None:
    """An audit hook: nothing is looked up and nothing connected to."""
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        raise RuntimeError(f"the device went online: {event}")


def main() -> None:
    """Import everything, then let a real artifact answer."""
    sys.meta_path.insert(0, Refuser())
    sys.addaudithook(stay_at_home)
    package = importlib.import_module("fer_edge")
    found = [info.name for info in pkgutil.walk_packages(package.__path__, "fer_edge.") if "__main__" not in info.name]
    for module in found:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise

    from fer_edge.bundle import Bundle  # noqa: PLC0415 - after the refuser
    from fer_edge.classifier import open_classifier  # noqa: PLC0415 - after the refuser
    from fer_edge.types import Box  # noqa: PLC0415 - after the refuser
    from support.shapes import shape_bgr  # noqa: PLC0415 - after the refuser

    classifier = open_classifier(Bundle.open(sys.argv[1]))
    (expression,) = classifier.classify(shape_bgr("surprise", seed=8), [Box(0, 0, 48, 48)])
    assert not {name.partition(".")[0] for name in sys.modules} & REFUSED
    print(json.dumps({"modules": found, "label": expression.label}))  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
