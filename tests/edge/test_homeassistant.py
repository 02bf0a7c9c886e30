"""Home Assistant finds the device: the discovery message against a schema written from Home Assistant's documentation.

The schema below says what these pages say, each part under the name of its page:

- "MQTT", section "Device discovery payload": https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
  (mandatory `device` and `origin`, `components` with `platform` and `unique_id`, the shared options, abbreviations)
- "MQTT", section "Discovery topic": https://www.home-assistant.io/integrations/mqtt/#discovery-topic
- "MQTT Sensor", "Configuration": https://www.home-assistant.io/integrations/sensor.mqtt/#configuration-variables
- "MQTT binary sensor", "Configuration": https://www.home-assistant.io/integrations/binary_sensor.mqtt/
- "Sensor", "Device class": https://www.home-assistant.io/integrations/sensor/#device-class

The order of checks for `None` in templates is that of homeassistant/components/mqtt/sensor.py.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fer_edge.health import Health, Status
from fer_edge.sinks.homeassistant import About, discovery
from fer_edge.sinks.settings import MqttSettings
from support.brokers import Mosquitto, ScriptedBroker, good, mqtt, needs_mosquitto, running, until

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

TEXT = {"type": "string", "minLength": 1}
TOPIC = {"type": "string", "pattern": r"^[^+#\u0000]+$"}
TEMPLATE = {"type": "string", "pattern": r"\{\{.+\}\}"}
ENTITY = {
    "p": TEXT,
    "unique_id": TEXT,
    "name": TEXT,
    "icon": {"type": "string", "pattern": "^mdi:[a-z-]+$"},
    "entity_category": {"const": "diagnostic"},  # sensors cannot be of the category "config"
    "state_topic": TOPIC,
    "value_template": TEMPLATE,
    "json_attributes_topic": TOPIC,
    "json_attributes_template": TEMPLATE,
    "availability_topic": TOPIC,
    "qos": {"enum": [0, 1, 2]},
}
SENSOR = {
    "properties": {
        **ENTITY,
        "p": {"const": "sensor"},
        "device_class": {"enum": ["enum", "temperature", "frequency", "duration"]},  # of the long list, what fits here
        "options": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "state_class": {"enum": ["measurement", "measurement_angle", "total", "total_increasing"]},
        "unit_of_measurement": TEXT,
        "suggested_display_precision": {"type": "integer", "minimum": 0},
    },
    "additionalProperties": False,
    "required": ["p", "unique_id", "value_template"],
    "allOf": [
        {  # "The sensor's device_class must be set to enum. The options option cannot be used together with ..."
            "if": {"required": ["options"]},
            "then": {
                "properties": {"device_class": {"const": "enum"}, "state_class": False, "unit_of_measurement": False},
                "required": ["device_class"],
            },
        },
        {
            "if": {"properties": {"device_class": {"const": "enum"}}, "required": ["device_class"]},
            "then": {"required": ["options"]},
        },
        {
            "if": {"properties": {"device_class": {"const": "temperature"}}, "required": ["device_class"]},
            "then": {"properties": {"unit_of_measurement": {"enum": ["°C", "°F", "K"]}}},
        },
    ],
}
BINARY_SENSOR = {
    "properties": {
        **ENTITY,
        "p": {"const": "binary_sensor"},
        "device_class": {"enum": ["motion", "occupancy", "presence", "problem"]},
        "payload_on": TEXT,
        "payload_off": TEXT,
    },
    "additionalProperties": False,
    "required": ["p", "unique_id", "value_template"],
}
DEVICE_DISCOVERY = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "dev": {
            "type": "object",
            "properties": {
                "ids": {"type": ["string", "array"], "items": TEXT, "minItems": 1},
                "cns": {"type": "array"},
                **dict.fromkeys(("name", "mf", "mdl", "mdl_id", "hw", "sw", "sn", "sa", "cu"), TEXT),
            },
            "additionalProperties": False,
            "anyOf": [{"required": ["ids"]}, {"required": ["cns"]}],
        },
        "o": {
            "type": "object",
            "properties": {"name": TEXT, "sw": TEXT, "url": {"type": "string", "pattern": "^https?://"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "cmps": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "properties": {"p": {"enum": ["sensor", "binary_sensor"]}},
                "required": ["p"],
                "if": {"properties": {"p": {"const": "sensor"}}},
                "then": SENSOR,
                "else": BINARY_SENSOR,
            },
        },
        "state_topic": TOPIC,
        "command_topic": TOPIC,
        "availability_topic": TOPIC,
        "payload_available": TEXT,
        "payload_not_available": TEXT,
        "encoding": TEXT,
        "qos": {"enum": [0, 1, 2]},
    },
    "required": ["dev", "o", "cmps"],
    "additionalProperties": False,
}
DISCOVERY_TOPIC = re.compile(r"[^+#]+/device/[a-zA-Z0-9_-]+/config")
"""`<discovery_prefix>/device/<object_id>/config`; "only characters from the class [a-zA-Z0-9_-]"."""

SETTINGS = MqttSettings(host="b", device_id="cam-1", prefix="fer/kitchen", name="Kitchen", discovery=True)
LABELS = ("angry", "happy", "neutral")


def payload(*, temperature: bool = True) -> dict[str, Any]:
    return discovery(SETTINGS, About(LABELS, "1.2.3", "fernet-s", temperature))[1]


def check(found: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(DEVICE_DISCOVERY).validate(found)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(DEVICE_DISCOVERY)


@pytest.mark.parametrize("temperature", [False, True])
def test_the_message_is_what_home_assistant_documents(temperature: bool) -> None:
    check(payload(temperature=temperature))
    assert ("temperature" in payload(temperature=temperature)["cmps"]) == temperature


def test_the_schema_takes_the_documented_example() -> None:
    sensor = {"p": "sensor", "unique_id": "temp01ae_t", "device_class": "temperature", "unit_of_measurement": "°C"}
    device = {"ids": "ea334450945afc", "name": "Kitchen", "mf": "Bla", "mdl": "xya", "sw": "1.0", "sn": "e", "hw": "1"}
    check(
        {
            "dev": device,
            "o": {"name": "bla2mqtt", "sw": "2.1", "url": "https://bla2mqtt.example.com/support"},
            "cmps": {"id1": {**sensor, "value_template": "{{ value_json.temperature }}"}},
            "state_topic": "sensorBedroom/state",
            "qos": 2,
        }
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.pop("dev"),
        lambda found: found.pop("o"),
        lambda found: found["o"].pop("name"),
        lambda found: found["dev"].pop("ids"),
        lambda found: found["cmps"]["faces"].pop("p"),
        lambda found: found["cmps"]["faces"].pop("unique_id"),
        lambda found: found["cmps"]["expression"].pop("options"),
        lambda found: found["cmps"]["expression"].update(state_class="measurement"),
        lambda found: found["cmps"]["expression"].pop("device_class"),
        lambda found: found["cmps"]["temperature"].update(unit_of_measurement="C"),
        lambda found: found["cmps"]["presence"].update(state_class="measurement"),
        lambda found: found["cmps"]["state"].update(entity_category="config"),
        lambda found: found["cmps"].update(light={"p": "light", "unique_id": "x"}),
        lambda found: found.update(components={}),
    ],
)
def test_the_schema_refuses_what_the_documentation_rules_out(spoil: Any) -> None:
    found = copy.deepcopy(payload())
    spoil(found)
    with pytest.raises(jsonschema.ValidationError):
        check(found)


def test_every_sensor_has_an_id_of_its_own_that_names_the_device() -> None:
    ids = [component["unique_id"] for component in payload()["cmps"].values()]
    assert len(set(ids)) == len(ids) == 6
    assert all(name.startswith("cam-1_") for name in ids)


def test_the_expression_can_be_each_label_uncertain_or_none() -> None:
    expression = payload()["cmps"]["expression"]
    assert expression["options"] == ["angry", "happy", "neutral", "uncertain", "none"]
    assert expression["device_class"] == "enum"


def test_the_topic_is_that_of_a_device() -> None:
    topic, _ = discovery(SETTINGS, About(LABELS, "1"))
    assert topic == "homeassistant/device/cam-1/config"
    assert DISCOVERY_TOPIC.fullmatch(topic)
    elsewhere, _ = discovery(SETTINGS.model_copy(update={"discovery_prefix": "ha/x"}), About(LABELS, "1"))
    assert elsewhere == "ha/x/device/cam-1/config"


def test_every_value_that_is_shown_is_in_the_state() -> None:
    with ScriptedBroker(good) as broker, running(mqtt(broker.port, Health(), prefix="fer/kitchen")) as sink:
        sink.state(Status("running", {"board": "hot"}), 1, None, fps=15.0, temperature_c=60.0)
        until(lambda: "fer/kitchen/state" in dict(broker.published()), "the state arrived")
        state = json.loads(dict(broker.published())["fer/kitchen/state"])
    found = payload()
    used = set(re.findall(r"value_json\.(\w+)", json.dumps(found)))
    assert used == {"expression", "faces", "state", "reasons", "fps", "temperature_c"}
    assert used <= set(state)
    assert state["state"] in found["cmps"]["state"]["options"]
    assert found["state_topic"] == "fer/kitchen/state"
    assert found["availability_topic"] == "fer/kitchen/availability"


@needs_mosquitto
def test_the_message_is_retained_and_stays_when_the_daemon_ends(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        with broker.listen() as listener, running(mqtt(broker.port, Health(), discovery=True)):
            listener.wait_for("homeassistant/device/cam/config")
        with broker.listen() as late:
            kept = late.wait_for("homeassistant/device/cam/config")
            assert late.wait_for("fer/availability").payload == "offline"
    assert kept.retained
    check(json.loads(kept.payload))


@needs_mosquitto
def test_without_discovery_home_assistant_is_told_nothing(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, broker.listen() as listener:
        with running(mqtt(broker.port, Health())):
            listener.wait_for("fer/availability", "online")
        listener.wait_for("fer/availability", "offline")
        assert not [message for message in listener.messages if message.topic.startswith("homeassistant")]
