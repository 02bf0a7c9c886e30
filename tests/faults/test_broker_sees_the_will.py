"""Row 19: the process is killed; the broker says offline for it, and a new process is welcome."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.brokers import PATIENCE_S, Mosquitto, needs_mosquitto
from support.tree import ROOT

DAEMON = """
import signal, sys
from fer_edge.clock import SystemClock
from fer_edge.health import Health
from fer_edge.sinks.homeassistant import About
from fer_edge.sinks.mqtt import open_mqtt
from fer_edge.sinks.settings import MqttSettings

settings = MqttSettings(host="127.0.0.1", port=int(sys.argv[1]), prefix="fer", device_id="cam")
sink = open_mqtt(settings, About((), "1"), health=Health(), clock=SystemClock())
signal.sigwait({signal.SIGTERM})
sink.close()
"""


def daemon(port: int) -> subprocess.Popen[bytes]:
    code = f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n{DAEMON}"
    return subprocess.Popen([sys.executable, "-c", code, str(port)], cwd=ROOT)


@needs_mosquitto
def test_a_killed_process_is_offline_and_the_next_one_online(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, broker.listen() as listener:
        first = daemon(broker.port)
        listener.wait_for("fer/availability", "online")
        first.kill()
        first.wait(PATIENCE_S)
        listener.wait_for("fer/availability", "offline")
        with broker.listen() as late:
            assert late.wait_for("fer/availability").retained
            assert late.wait_for("fer/availability").payload == "offline"
        second = daemon(broker.port)
        listener.wait_for("fer/availability", "online", count=2)
        second.terminate()
        assert second.wait(PATIENCE_S) == 0
        listener.wait_for("fer/availability", "offline", count=2)
        assert [message.payload for message in listener.of("fer/availability")] == ["online", "offline"] * 2
