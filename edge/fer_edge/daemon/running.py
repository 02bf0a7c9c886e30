"""Puts the whole daemon together from the settings: what is opened, in which order, and who looks after what."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from fer_edge import __version__, assembly
from fer_edge.cameras import Camera
from fer_edge.cameras.checked import Frozen
from fer_edge.cameras.stream import masked
from fer_edge.classifier import Classifier
from fer_edge.clock import SystemClock
from fer_edge.config import Settings
from fer_edge.daemon.outputs import Outputs
from fer_edge.daemon.reload import Apply, Reloading
from fer_edge.daemon.supervisor import INFERENCE_LIMIT_S, Daemon, Parts, Tender
from fer_edge.daemon.swap import Swapping
from fer_edge.daemon.tending import Guarding, Logging, Sparing, Telling
from fer_edge.errors import ExitCode
from fer_edge.events import UNCERTAIN, EventStream
from fer_edge.health import Health
from fer_edge.privacy import Aggregate
from fer_edge.sinks import Sink
from fer_edge.sinks.jsonl import JsonLines
from fer_edge.system.board import Board
from fer_edge.system.governor import Governor, Limits
from fer_edge.system.memory import Trimming
from fer_edge.system.systemd import Notifier, Watchdog, watchdog_period_s
from fer_edge.types import Frame, Observation

if TYPE_CHECKING:
    from fer_edge.live import Live
    from fer_edge.sinks.mqtt import Mqtt
    from fer_edge.web.picture import Preview
    from fer_edge.web.server import WebServer


class Running:
    """A daemon and everything that lives as long as it does, opened in the order of `__init__`.

    settings: what to open. read_again: reads them anew, for SIGHUP; None where there is no file to read. Raises what
    each part raises when it cannot be had; what was opened before is closed by the end of the process.
    """

    def __init__(self, settings: Settings, read_again: Callable[[], Settings] | None = None) -> None:
        assembly.set_process_limits()
        self.settings, self._read_again = settings, read_again
        self._clock, self._health, self._board = SystemClock(), Health(), Board()
        self._notifier = Notifier.from_environment()
        file = self._file()
        classifier = assembly.make_classifier(settings)
        self._pipeline = assembly.make_pipeline(settings, classifier)
        self._live, self._mqtt = self._make_live(classifier), self._make_mqtt(classifier)
        self._preview: Preview | None = None
        self._web = self._make_web()
        rest = (self._live, self._mqtt, self._make_webhook())
        self._outputs = Outputs([file, *(sink for sink in rest if sink is not None)], self._health)
        self._swapping = Swapping(self._pipeline, self._classifier_again, self._clock, self._health, self._outputs.emit)
        self._teller = self._make_teller(classifier)
        self._faces: Sequence[str] = ()
        self._sparing = Sparing(self._board, Governor(settings.governor), self._spare, self._health, self._clock)
        self._tenders: list[Tender] = [self._sparing, Logging(), Trimming(self._clock)]
        self._daemon = Daemon(self._parts())
        self._tend()

    def run(self) -> ExitCode:
        """Until the source ends or a signal comes; see `Daemon.run`."""
        try:
            if self._web is not None:
                self._web.start()
            return self._daemon.run(**self._identity())
        finally:
            self._notifier.stopping("stopping")
            if self._web is not None:
                self._web.close()

    # What is made.

    def _file(self) -> Sink:
        events = self.settings.events
        rotation = events.rotation
        return JsonLines(
            events.path,
            health=self._health,
            clock=self._clock,
            max_bytes=rotation.max_bytes,
            keep=rotation.keep,
        )

    def _make_live(self, classifier: Classifier) -> Live | None:
        if self.settings.http.listen == "off":
            return None
        from fer_edge.live import Live  # noqa: PLC0415 - only where there is a page

        return Live(classifier.labels, self._health, self._clock, self.settings.privacy)

    def _make_web(self) -> WebServer | None:
        if self._live is None:
            return None
        from fer_edge.web import open_web  # noqa: PLC0415 - only where there is a page
        from fer_edge.web.picture import Preview  # noqa: PLC0415

        self._preview = Preview(self._clock) if self.settings.http.pictures else None
        return open_web(self.settings.http, self._live, self._health, self._clock, self._preview)

    def _make_mqtt(self, classifier: Classifier) -> Mqtt | None:
        if self.settings.mqtt.host is None:
            return None
        from fer_edge.sinks.homeassistant import About  # noqa: PLC0415 - only where there is a broker
        from fer_edge.sinks.mqtt import open_mqtt  # noqa: PLC0415

        about = About(
            labels=classifier.labels,
            version=__version__,
            model=classifier.bundle.manifest.name,
            temperature=self._board.readings().temperature_c is not None,
            faces=self.settings.privacy.mode != "aggregate",
        )
        return open_mqtt(self.settings.mqtt, about, health=self._health, clock=self._clock)

    def _make_webhook(self) -> Sink | None:
        if self.settings.webhook.url is None and self.settings.webhook.url_file is None:
            return None
        from fer_edge.sinks.webhook import open_webhook  # noqa: PLC0415 - only where there is one

        return open_webhook(self.settings.webhook, health=self._health, clock=self._clock)

    def _make_teller(self, classifier: Classifier) -> EventStream | Aggregate:
        if self.settings.privacy.mode == "aggregate":
            return Aggregate(classifier.labels, self.settings.privacy)
        return EventStream(classifier.labels, self.settings.events.rate_hz)

    def _parts(self) -> Parts:
        settings = self.settings
        seen = self._live is not None or self._mqtt is not None
        waits = settings.camera.wait
        return Parts(
            open_camera=self._opener(settings),
            pipeline=self._swapping,
            teller=self._teller,
            outputs=self._outputs,
            clock=self._clock,
            health=self._health,
            judges=lambda: Frozen(self._clock),
            observers=(self._observe,) if seen else (),
            tenders=self._tenders,
            max_frames=settings.max_frames,
            wait=self._notifier.listening if waits is None else waits,
            source=masked(settings.source) if "://" in settings.source else settings.source,
            statistics_every_s=settings.events.statistics_every_s,
            tells_of_faces=settings.privacy.mode != "aggregate",
        )

    def _opener(self, settings: Settings) -> Callable[[], Camera]:
        return assembly.camera_opener(settings, self._clock)

    def _classifier_again(self, precision: str | None) -> Classifier:
        wanted = self.settings if precision is None else self.settings.model_copy(update={"precision": precision})
        return assembly.make_classifier(wanted)

    # Who looks after what.

    def _tend(self) -> None:
        guarding = Guarding(
            self._notifier,
            Watchdog(self._notifier, watchdog_period_s(), self._clock),
            self._health,
            INFERENCE_LIMIT_S,
        )
        guarding.watch(self._daemon)
        self._tenders.append(guarding)
        if self.settings.hot_swap:
            self._tenders.append(self._swapping)
        if self._live is not None or self._mqtt is not None:
            self._tenders.append(Telling(self._tell, self._clock))
        if self._read_again is not None:
            reloading = Reloading(self.settings, self._read_again, self._changes(), self._health)
            self._tenders.append(reloading)
            signal.signal(signal.SIGHUP, _asking(reloading))

    def _changes(self) -> dict[str, Apply]:
        """What a configuration that is read again can change, by the beginning of its keys."""
        found: dict[str, Apply] = {
            "source": self._reopen,
            "camera": self._reopen,
            "pipeline": lambda fresh: self._pipeline.configure(fresh.pipeline),
            "governor": lambda fresh: self._sparing.configure(fresh.governor),
        }
        teller = self._teller
        if isinstance(teller, EventStream):
            found["events.rate"] = lambda fresh: teller.tell_at(fresh.events.rate_hz)
        return found

    def _reopen(self, fresh: Settings) -> None:
        self._daemon.capturing.reopen(self._opener(fresh))

    def _spare(self, limits: Limits) -> None:
        self._pipeline.search.rarer = limits.search_factor
        self._daemon.capturing.max_fps = limits.max_fps
        self._swapping.prefer(limits.precision)

    def _observe(self, frame: Frame, observation: Observation) -> None:
        """In the inference thread, after every frame."""
        self._faces = [face.expression.label or UNCERTAIN for face in observation.faces]
        if self._live is not None:
            self._live.observe(observation)
        if self._preview is not None:
            self._preview.put(frame, observation)

    def _tell(self) -> None:
        """Once a second, to those who show how things are."""
        status, readings = self._health.status(), self._sparing.readings
        if self._preview is not None and not status.ready:
            self._preview.withdraw()
        if self._live is not None:
            throttled = readings.throttling.now if readings.throttling else None
            self._live.board(
                temperature_c=readings.temperature_c,
                throttled=throttled,
                memory_available_bytes=readings.memory_available_bytes,
            )
            self._live.count(dropped_frames=self._daemon.dropped_frames, lost_events=self._outputs.lost)
        if self._mqtt is not None:
            secret = self.settings.privacy.mode == "aggregate"
            faces = self._faces if status.ready and not secret else ()
            self._mqtt.state(
                status,
                None if secret else len(faces),
                _dominant(faces),
                fps=self._daemon.statistics.fps(),
                temperature_c=readings.temperature_c,
            )

    def _identity(self) -> dict[str, Any]:
        """What the first event says of the model and what runs it."""
        classifier = self._swapping.classifier
        return {
            "model": classifier.bundle.manifest.name,
            "model_sha256": classifier.bundle.sha256,
            "artifact": classifier.artifact.id,
            "runtime": f"{classifier.runtime.name} {classifier.runtime.version}",
            "effective_precision": classifier.runtime.effective_precision,
            "threads": classifier.runtime.threads,
            "detector": self._pipeline.search.detector.name,
            "labels": list(classifier.labels),
            "privacy": self.settings.privacy.mode,
            "clock_synchronised": self._board.clock_synchronised(),
            "fer_edge": __version__,
        }


def _dominant(labels: Sequence[str]) -> str | None:
    """The label that most faces show; None without a face."""
    counted = Counter(labels)
    return counted.most_common(1)[0][0] if counted else None


def _asking(reloading: Reloading) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        reloading.request()

    return handle
