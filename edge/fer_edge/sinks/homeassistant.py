"""Home Assistant learns of the device by one retained message: what it is, and which of its values are sensors.

The form is the device discovery of Home Assistant's MQTT integration (since 2024.11), "Device discovery payload" in
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from fer_edge.events import UNCERTAIN
from fer_edge.health import State
from fer_edge.sinks.settings import MqttSettings

NOBODY = "none"
"""What the sensor of the expression shows while there is no face; the state's JSON has null."""
ONLINE, OFFLINE = "online", "offline"
"""Payloads of the availability topic, as Home Assistant takes them by default."""


@dataclass(frozen=True)
class About:
    """What is told of the device.

    labels: of its model. model: the bundle's name. temperature: whether it is known. faces: whether it tells of them,
    which it does not where only groups are counted.
    """

    labels: tuple[str, ...]
    version: str
    model: str = ""
    temperature: bool = False
    faces: bool = True


def availability_topic(settings: MqttSettings) -> str:
    """Retained: online, or offline as the last will."""
    return f"{settings.the_prefix}/availability"


def state_topic(settings: MqttSettings) -> str:
    """Retained: the newest state as JSON."""
    return f"{settings.the_prefix}/state"


def discovery(settings: MqttSettings, about: About) -> tuple[str, dict[str, Any]]:
    """The topic and the payload that make the device known; to be retained."""
    device = settings.the_device_id
    payload: dict[str, Any] = {
        "dev": {
            "ids": [device],
            "name": settings.name or device,
            "mf": "fer-edge",
            "mdl": about.model or "facial expression recognition",
            "sw": about.version,
        },
        "o": {"name": "fer-edge", "sw": about.version},
        "cmps": {
            key: {"unique_id": f"{device}_{key}", **component}
            for key, component in _components(settings, about).items()
        },
        "state_topic": state_topic(settings),
        "availability_topic": availability_topic(settings),
        "qos": settings.qos,
    }
    return f"{settings.discovery_prefix}/device/{device}/config", payload


def _components(settings: MqttSettings, about: About) -> dict[str, dict[str, Any]]:
    faces = _faces(about) if about.faces else {}
    return {**faces, **_diagnostics(settings, temperature=about.temperature)}


def _faces(about: About) -> dict[str, dict[str, Any]]:
    return {
        "expression": {
            "p": "sensor",
            "name": "Expression",
            "device_class": "enum",
            "options": [*about.labels, UNCERTAIN, NOBODY],
            "value_template": f"{{{{ value_json.expression or '{NOBODY}' }}}}",
            "icon": "mdi:emoticon-outline",
        },
        "faces": {
            "p": "sensor",
            "name": "Faces",
            "state_class": "measurement",
            "value_template": "{{ value_json.faces }}",
            "icon": "mdi:face-recognition",
        },
        "presence": {
            "p": "binary_sensor",
            "name": "Face present",
            "device_class": "occupancy",
            "payload_on": "ON",
            "payload_off": "OFF",
            "value_template": "{{ 'ON' if value_json.faces > 0 else 'OFF' }}",
        },
    }


def _diagnostics(settings: MqttSettings, *, temperature: bool) -> dict[str, dict[str, Any]]:
    parts: dict[str, dict[str, Any]] = {
        "state": {
            "p": "sensor",
            "name": "State",
            "device_class": "enum",
            "entity_category": "diagnostic",
            "options": list(get_args(State)),
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": state_topic(settings),
            "json_attributes_template": "{{ value_json.reasons | tojson }}",
        },
        "fps": {
            "p": "sensor",
            "name": "Frames per second",
            "entity_category": "diagnostic",
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "suggested_display_precision": 1,
            "value_template": "{{ value_json.fps }}",
        },
    }
    if temperature:
        parts["temperature"] = {
            "p": "sensor",
            "name": "Temperature",
            "device_class": "temperature",
            "entity_category": "diagnostic",
            "state_class": "measurement",
            "unit_of_measurement": "°C",
            "value_template": "{{ value_json.temperature_c }}",
        }
    return parts
