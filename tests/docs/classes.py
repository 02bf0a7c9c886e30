"""In which of three classes each command of the pages is: run, slow, or elsewhere.

A command that neither table names is run by `make test`, if its program is one of RUNNABLE; else it is in no class, and
a test says so.
"""

from __future__ import annotations

import re

RUNNABLE = {
    *("fer-edge", "fer-train", "fer-convert", "fer-bench", "make", "python", "deploy/fleet/enrol"),
    *("cd", "cp", "mkdir", "install", "printf", "openssl", "curl", "ls", "getconf", "python3"),
}
"""Programs that a page's new command may call without being named here."""

ENDLESS = {
    ".venv/bin/fer-edge run --source 0": "face_entered",
    ".venv/bin/fer-edge run --source rtsp://camera.local/stream": "face_entered",
    ".venv/bin/fer-edge run --source 0 --http 127.0.0.1:8080 --set mqtt.host=broker.local --set mqtt.discovery=true": (
        "face_entered"
    ),
    ".venv/bin/fer-edge run --source 0 --model bundles/mine": "face_entered",
    "fer-edge run --source 0 --http 127.0.0.1:8080": "face_entered",
    "fer-edge run --source 'fault:demo?stall@5s,lost@12s*3,frozen@20s+10s,corrupt@30s*5'": "camera_lost",
    "fer-edge run --source 'fault:clip.mp4?loop,lost@1m/1m'": "face_entered",
    ".venv/bin/fer-edge run --source auto": "face_entered",
    ".venv/bin/fer-edge run --source auto --http 127.0.0.1:8080": "face_entered",
    ".venv/bin/fer-edge run --source auto --model ./first": "face_entered",
    "curl -N http://127.0.0.1:8080/api/events": "data: ",
}
"""Commands that do not end by themselves, and what they are to print before they are asked to end."""

STATUSES = {"fer-edge cameras": {0, 69}, ".venv/bin/fer-edge cameras": {0, 69}}
"""Commands that may end otherwise than with 0: 69 says that this machine has no camera, which is true."""

OF_REAL_DATA = {".venv/bin/fer-train data --data fer2013"}
"""Commands whose shown output is held against theirs by the slow run alone: it is of the real data set."""

FRESH = {"docs/how-to/install.md", "docs/tutorial/first-events.md"}
"""Pages whose slow commands install: they start from a copy of the repository without an environment."""

INSTALLS = re.compile(r"-m (?:venv|pip) ")
"""Commands that nothing but such a page runs, for elsewhere they would change the environment of the tests."""

_QUICKER = "--rounds 1 --min-seconds 0.2 --min-runs 20"
_FEWER = "--limit 350"

SLOW = {
    # README.md
    ".venv/bin/fer-edge doctor": "",
    ".venv/bin/fer-train run fernet-s --data fer2013 --out runs/fernet-s": "--limit 700 --epochs 1",
    ".venv/bin/fer-convert runs/fernet-s --calibrate fer2013 --evaluate fer2013 --out bundles/mine": (
        "--to tflite --min-agreement 0.5 --max-drop 20"
    ),
    ".venv/bin/fer-bench accuracy bundles/mine --data fer2013": _FEWER,
    ".venv/bin/fer-bench latency bundles/mine": _QUICKER,
    ".venv/bin/fer-bench all bundles/mine --data fer2013 --source clip.mp4 --out report": (
        "--runtime litert --rounds 1 --min-seconds 0.2 --limit 350 --max-frames 60"
    ),
    # docs/how-to/bench-accuracy.md
    ".venv/bin/fer-bench accuracy default --data fer2013:fer2013/ --json accuracy.json": "--runtime litert",
    ".venv/bin/fer-bench accuracy default --data fer2013:fer2013/ --corruptions all": "--limit 70 --runtime litert",
    ".venv/bin/fer-bench accuracy bundles/mine --data fer2013 --runtime litert --corruptions all --card": "--limit 70",
    # docs/how-to/bench-all.md
    "fer-bench all default --data fer2013:fer2013/ --source clip.mp4 --out report": (
        "--runtime litert --rounds 2 --min-seconds 0.5 --limit 700 --max-frames 100"
    ),
    "fer-bench report report": "",
    "fer-bench report latency.json --html latency.html": "",
    "fer-bench report report --max-drop 0.5": "",
    # docs/how-to/bench-compare.md
    "fer-bench latency default --rounds 10 --json before.json": "--min-seconds 0.2 --runtime litert",
    "fer-bench latency default --rounds 10 --json after.json": "--min-seconds 0.2 --runtime litert",
    "fer-bench compare before.json after.json": "",
    "fer-bench compare before.json after.json --fail-on p50:+5% --fail-on p99:+10% --fail-on rss:+10% --fail-on "
    "size:+0": "",
    "fer-bench compare accuracy-before.json accuracy-after.json --fail-on top1:-0.5": "",
    "fer-bench compare report-of-may report-of-june --fail-on p50:+5% --fail-on top1:-0.5 --fail-on cpu:+5%": "",
    "for k in 1 2 3 4 5 6 7 8 9 10; do fer-bench latency bundles/old --rounds 1 --json before/$k.json "
    "fer-bench latency bundles/new --rounds 1 --json after/$k.json done": "",
    "fer-bench compare before after": "",
    # docs/how-to/bench-latency.md
    "fer-bench latency default": _QUICKER,
    "fer-bench latency bundles/mine --runtime litert --threads 1,2,4": _QUICKER,
    "fer-bench latency net.tflite other.onnx net.xml": _QUICKER,
    "fer-bench latency default --scenario multi-stream --streams 4": _QUICKER,
    "fer-bench latency default --profile": _QUICKER,
    # docs/how-to/bench-pipeline.md
    "fer-bench pipeline --source clip.mp4 --json pipeline.json": "--rounds 1 --max-frames 100 --seconds 5",
    "fer-bench pipeline --source 0 --seconds 60": "--rounds 1 --seconds 5",
    # docs/how-to/bench-remote.md
    "fer-bench remote pi@board latency default --threads 1,4 --json pi.json": f"--runtime litert {_QUICKER}",
    "fer-bench remote --python venv/bin/python pi@board:2222 accuracy mine/ --data fer2013:fer2013/ --json pi.json": (
        f"--runtime litert {_FEWER}"
    ),
    "fer-bench remote board pipeline --source clip.mp4 --detector-weights yunet.onnx": (
        "--rounds 1 --max-frames 60 --seconds 5"
    ),
    "fer-bench remote board all mine/ --data fer2013:fer2013/ --source clip.mp4 --detector-weights yunet.onnx --out "
    "report": ("--runtime litert --rounds 1 --min-seconds 0.2 --limit 350 --max-frames 60"),
    "fer-bench remote board tune mine/ --p95-ms 20 --config fer-edge.toml --dry-run": (
        "--runtime litert --rounds 1 --min-seconds 0.2 --threads 1 --periods 0.3 --max-frames 60"
    ),
    # docs/how-to/bench-soak.md
    "fer-bench soak default --minutes 20 --threads 4 --json soak.json": "--minutes 0.5",
    # docs/how-to/bench-tune.md
    "fer-bench tune default --p95-ms 20 --max-drop 1 --rss-mb 200 --config fer-edge.toml --dry-run": (
        "--runtime litert --rounds 1 --min-seconds 0.2 --threads 1 --periods 0.3 --max-frames 60"
    ),
    "fer-bench tune default --p95-ms 20 --max-drop 1 --rss-mb 200 --config fer-edge.toml": (
        "--runtime litert --rounds 1 --min-seconds 0.2 --threads 1 --periods 0.3 --max-frames 60"
    ),
    "fer-bench tune mine/ --data fer2013:fer2013/ --source clip.mp4 --threads 1,2,4 --json tune.json": (
        "--runtime litert --rounds 1 --min-seconds 0.2 --periods 0.3 --max-frames 60 --limit 350"
    ),
    # docs/how-to/convert.md
    ".venv/bin/fer-convert runs/buffalo-cnn --calibrate fer2013 --evaluate fer2013 --out bundles/buffalo-cnn": "",
    ".venv/bin/fer-convert runs/buffalo-cnn --recipe bundles/buffalo-cnn/conversion.json --calibrate fer2013 "
    "--evaluate fer2013 --out bundles/again": "",
    ".venv/bin/fer-convert net.onnx --labels angry,happy,neutral --preprocess color=rgb,size=64,range=0..1,layout=NCHW "
    "--calibrate folder:faces/train --evaluate folder:faces/test --out bundles/net": "--to tflite,onnx",
    # docs/how-to/doctor.md
    "fer-edge doctor": "",
    "fer-edge doctor --json -": "",
    # docs/how-to/install.md
    "python3 -m venv .venv": "",
    ".venv/bin/python -m pip install -c constraints.txt '.[web,mqtt]'": "",
    ".venv/bin/python -m pip install -c constraints.txt .": "",
    ".venv/bin/python -m pip install . 'numpy<2'": "",
    "python3 -m venv --system-site-packages .venv": "",
    "python3 -m pip wheel --no-deps -w wheelhouse .": "",
    "python3 -m pip download -d wheelhouse -c constraints.txt --only-binary :all: --python-version 3.11 "
    "--implementation cp --abi cp311 --abi abi3 --abi none --platform manylinux_2_35_aarch64 --platform "
    "manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 --platform "
    "manylinux2014_aarch64 wheelhouse/fer_edge-*.whl": "",
    # docs/tutorial/first-events.md
    ".venv/bin/python -m pip install -c constraints.txt '.[web]'": "",
    # docs/tutorial/own-model.md
    ".venv/bin/fer-train run buffalo-cnn --data fer2013 --limit 7000 --epochs 6 --out runs/first": "",
    "cat runs/first/card.md": "",
    ".venv/bin/fer-convert runs/first --calibrate fer2013 --evaluate fer2013 --to tflite --out bundles/first": "",
    ".venv/bin/fer-bench accuracy bundles/first --data fer2013": "",
    ".venv/bin/fer-bench latency bundles/first --runtime litert": "",
    ".venv/bin/fer-edge models verify bundles/first": "",
    ".venv/bin/fer-edge run --source demo --max-frames 150 --rate changes --model bundles/first": "",
    # docs/how-to/privacy.md
    ".venv/bin/fer-edge run --source demo --max-frames 400 --set privacy.mode=aggregate --set privacy.window_s=10": "",
    # docs/how-to/train.md
    ".venv/bin/fer-train run buffalo-cnn --data fer2013 --out runs/buffalo-cnn": "--limit 3500 --epochs 2",
    ".venv/bin/fer-train run buffalo-cnn --data fer2013 --out runs/taught "
    "--set 'distill.teachers=[\"runs/buffalo-cnn\"]' --set distill.views=4": "--limit 3500 --epochs 1",
    ".venv/bin/fer-train compare runs/*": "",
    ".venv/bin/fer-train grid runs/buffalo-cnn pictures/ --out grid.png": "",
}
"""Commands that take minutes or the real data: `make check-docs` runs them, with these words behind, so that each ends
in minutes."""

_APT = "installs packages of the system"
_SYSTEMD = "needs systemd as the first process, and root"
_PIP = "changes the environment that the tests run in; docs/how-to/install.md's own story installs in a fresh one"
_PEER = "needs 7.5 GB of another library's packages; tests/bench runs peers of its own"
_EMULATED = "needs root and an emulated Debian; `make check-arm64` is that check"
_UNLIMITED = "runs until a temperature is steady, up to an hour; the bounded `soak` beside it is run"
_BROKER = "needs the broker of the page in /etc; tests/edge/test_fleet.py runs one with the same files"

ELSEWHERE = {
    "make test": "it is what runs this",
    ".venv/bin/python -m pip install -c constraints.txt -e '.[web,mqtt]'": _PIP,
    ".venv/bin/python -m pip install -c constraints.txt -e '.[onnx]'": _PIP,
    ".venv/bin/python -m pip install -c constraints.txt '.[bench,train]'": _PIP,
    ".venv/bin/python -m pip install -c constraints.txt '.[mqtt]'": _PIP,
    "python3 -m venv ~/peers/fer": _PEER,
    '~/peers/fer/bin/pip install fer==25.10.3 "setuptools<81"': _PEER,
    "fer-bench latency default --peer docs/how-to/peers/fer.toml": _PEER,
    "fer-bench accuracy default --peer docs/how-to/peers/fer.toml --data fer2013:fer2013/": _PEER,
    "fer-bench pipeline --peer docs/how-to/peers/fer.toml --source clip.mp4": _PEER,
    "fer-bench soak default --until-steady": _UNLIMITED,
    "fer-bench soak default --source clip.mp4 --until-steady": _UNLIMITED,
    "sudo apt install python3-venv python3-picamera2": _APT,
    "sudo apt install python3-venv": _APT,
    "sudo apt install git python3-venv python3-picamera2": _APT,
    "git clone REPOSITORY fer-edge": "the address is the reader's; the story begins in a copy of the repository",
    "cd fer-edge": "the story is in that folder already",
    "sudo apt install mosquitto mosquitto-clients openssl": _APT,
    "sudo make check-arm64-quick": _EMULATED,
    "sudo make check-arm64 BUNDLE=bundles/mine": _EMULATED,
    "sudo make count-arm64": _EMULATED,
    'sudo make count-arm64 MODELS="a.tflite b.onnx c.xml"': _EMULATED,
    "sudo make count-arm64 BUNDLE=bundles/mine CLIP=clip.mp4 WEIGHTS=face_detection_yunet_2026may.onnx": _EMULATED,
    "python tests/arm64/count.py --only frames --clip clip.mp4 --frames 120 --boards pi5 --json counts.json": _EMULATED,
    "sudo systemctl restart mosquitto": _SYSTEMD,
    "systemctl status fer-edge": _SYSTEMD,
    "journalctl -u fer-edge -f": _SYSTEMD,
    "docker build -t fer-edge -f deploy/container/Dockerfile .": "needs a container engine and its registry",
    "docker run --rm --network host --device /dev/video0 --group-add video fer-edge run --source 0 "
    "--http 127.0.0.1:8080": "needs a container engine and a camera",
    ".venv/bin/python -m pip install --no-index -f wheelhouse fer-edge": (
        "the wheels are those of a board's processor; `make check-arm64-quick` installs them on an emulated one"
    ),
    "sudo .venv/bin/fer-edge service install": _SYSTEMD,
    "sudo .venv/bin/fer-edge service install --broker 192.168.1.10 --lan 192.168.1.0/24 --credential "
    "mqtt-password=/etc/fer-edge/mqtt-password --credential token=/etc/fer-edge/token": _SYSTEMD,
    'mosquitto_sub -h broker.local -p 8883 --cafile fleet/ca.pem -u collector -P "$(cat fleet/collector-password)" '
    "-v -t 'fer-edge/#'": _BROKER,
    "mosquitto_pub -h homeassistant.local -u … -P … -r -n -t homeassistant/device/DEVICE_ID/config": (
        "needs the broker of a Home Assistant"
    ),
    "prometheus --config.file=fleet/prometheus.yml": (
        "scrapes hosts that are not there; tests/edge/test_fleet.py reads the file"
    ),
    'curl -H "Authorization: Bearer $(sudo cat /etc/fer-edge/token)" http://pi.local:8080/api/state': (
        "needs a daemon on another host; tests/edge/test_web_guard.py asks with a token"
    ),
    "python tests/arm64/check.py --release trixie --boards pi5 --runtimes onnxruntime --bundle bundles/mine --clip "
    "clip.mp4 --weights face_detection_yunet_2026may.onnx": _EMULATED,
    "python tests/arm64/machine.py --release bookworm": _EMULATED,
    ".venv/bin/python -m pip install -c constraints.txt -e '.[all]'": f"{_PIP}; followed by hand, as the page tells",
    "scp -r bundles/first pi@pi.local:fer-edge/": "needs another host",
    "ssh -L 8080:localhost:8080 pi@pi.local": "needs another host",
}
"""Commands that need another machine, root or the network, and why. What can be said of them unrun is still checked."""
