# The project's commands; `make` alone lists them. Everything that is installed goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
PINS := pyproject.toml constraints.txt
DEMO_FRAMES ?= 330
FUZZ_SECONDS ?= 120
SOAK_MINUTES ?= 60

# Words that old Pythons understand, for it is they who need to read this.
define CHECK_PYTHON
import struct, sys
bits = struct.calcsize("P") * 8
if sys.version_info < (3, 10) or bits != 64:
    sys.exit("fer-edge needs a 64-bit Python 3.10 or newer, found Python %d.%d with %d bits; "
             "name another one, as in: make demo PYTHON=python3.11" % (sys.version_info[0], sys.version_info[1], bits))
endef
export CHECK_PYTHON

.PHONY: help
help: ## list the commands (default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-20s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: $(VENV)/.base ## watch a built-in face change its expression, for some 20 seconds
	@echo "== running: $(BIN)/fer-edge run --source demo --max-frames $(DEMO_FRAMES)"
	@$(BIN)/fer-edge run --source demo --max-frames $(DEMO_FRAMES)
	@echo "== that was the built-in demo; with a camera on this machine:"
	@echo "     $(BIN)/fer-edge run --source 0"
	@echo "   and for another camera, a clip or a folder of pictures:"
	@echo "     $(BIN)/fer-edge run --source rtsp://HOST/PATH"
	@echo "     $(BIN)/fer-edge predict PATH --annotate marked"

.PHONY: test
test: $(VENV)/.dev ## run the whole suite
	@echo "== testing: $(BIN)/python -m pytest -n 2 --dist loadfile (some minutes)"
	@$(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: lint
lint: $(VENV)/.dev ## style, types, and the direction of imports
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@$(BIN)/mypy tests
	@echo "== lint-imports"
	@$(BIN)/lint-imports --no-logo

.PHONY: check
check: lint test ## lint, then test

.PHONY: fuzz
fuzz: $(VENV)/.dev ## damaged files for everything that reads strangers' files, FUZZ_SECONDS long
	@cd tests && ../$(BIN)/python -m fuzz.run --seconds $(FUZZ_SECONDS)

.PHONY: soak
soak: $(VENV)/.dev ## the daemon for SOAK_MINUTES with trouble every minute (make soak CLIP=clip.mp4; needs mosquitto)
	@$(BIN)/python tests/system/soak.py --clip "$(CLIP)" --minutes $(SOAK_MINUTES)

.PHONY: flood
flood: $(VENV)/.dev ## what thousands of idle connections and unread pictures cost the daemon (make flood CLIP=clip.mp4)
	@$(BIN)/python tests/system/flood.py --clip "$(CLIP)"

.PHONY: outputs
outputs: $(VENV)/.dev ## what all outputs cost against JSON lines alone, and events' latency (make outputs CLIP=clip.mp4; needs mosquitto)
	@$(BIN)/python tests/system/outputs.py --clip "$(CLIP)"

.PHONY: fleet
fleet: $(VENV)/.dev ## two hundred devices at one broker, which goes and comes (needs mosquitto)
	@$(BIN)/python tests/system/fleet.py

.PHONY: honesty
honesty: $(VENV)/.dev ## whether two measurements of the same thing compare as "not significant" on this machine
	@$(BIN)/python tests/system/honesty.py --pairs 20

.PHONY: check-stops
check-stops: $(VENV)/.dev ## fifty SIGTERMs in the middle of everything (needs mosquitto)
	@FER_EDGE_STOPS=50 $(BIN)/python -m pytest -q tests/faults/test_sigterm.py

.PHONY: check-device-matrix
check-device-matrix: ## the device's tests on old and new Pythons and libraries (downloads them)
	@tests/system/device_matrix.sh

.PHONY: check-arm64-quick
check-arm64-quick: $(VENV)/.dev ## the shipped model on an emulated Pi 4 and Pi 5 (root; apt install qemu-user-static mmdebstrap)
	@$(BIN)/python tests/arm64/check.py

.PHONY: check-arm64
check-arm64: $(VENV)/.dev ## Bookworm and Trixie, three runtimes, then a machine that boots (BUNDLE=bundles/mine; root, an hour)
	@$(BIN)/python tests/arm64/check.py --release bookworm,trixie --runtimes litert,onnxruntime,openvino $(if $(BUNDLE),--bundle "$(BUNDLE)")
	@$(BIN)/python tests/arm64/machine.py --release bookworm
	@$(BIN)/python tests/arm64/machine.py --release trixie

.PHONY: count-arm64
count-arm64: $(VENV)/.dev ## instructions per inference and frame on a Pi 4 and Pi 5 (BUNDLE=dir, MODELS="a.tflite b.onnx", CLIP=clip.mp4, WEIGHTS=yunet.onnx; root; apt install qemu-user gcc)
	@$(BIN)/python tests/arm64/count.py $(if $(MODELS),--models $(MODELS)) $(if $(BUNDLE),--bundle "$(BUNDLE)") $(if $(CLIP),--clip "$(CLIP)") $(if $(WEIGHTS),--weights "$(WEIGHTS)")

.PHONY: check-recipes
check-recipes: $(VENV)/.dev ## every recipe trains a little on FER2013=DIR, converts and predicts (an hour on two cores)
	@test -n "$(FER2013)" || { echo "name the folder: make check-recipes FER2013=/data/fer2013" >&2; exit 2; }
	@$(BIN)/python tests/system/every_recipe.py --data $(FER2013) --out build/recipes

.PHONY: docs
docs: $(VENV)/.dev ## build the documentation as a site into build/site
	@$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/site-trees docs build/site
	@echo "== build/site/index.html"

.PHONY: reference
reference: $(VENV)/.dev ## write docs/reference/cli*.md from the commands' parsers
	@cd tests && ../$(BIN)/python -m support.make_reference

.PHONY: check-docs
check-docs: $(VENV)/.dev ## every command of the documentation, the slow ones too (FER2013 and a clip in ../shared; needs mosquitto)
	@FER_EDGE_DOCS=slow $(BIN)/python -m pytest -q -n 2 --dist load --durations=0 tests/docs

.PHONY: wheel
wheel: $(VENV)/.dev ## build the wheel into dist
	@$(BIN)/python -m build --wheel --no-isolation

.PHONY: clean
clean: ## remove what was built, and caches
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find edge train convert benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## the same, and .venv
	rm -rf $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c "$$CHECK_PYTHON"
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "this Python cannot make virtual environments; on Debian and Raspberry Pi OS: sudo apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.base: $(VENV)/.made $(PINS)
	@echo "== installing what the device needs: numpy, OpenCV, LiteRT, pydantic (100 MB to fetch, a minute or two)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(PINS)
	@echo "== installing everything: the device, TensorFlow, Keras, ONNX Runtime, OpenVINO, test tools (560 MB to fetch, some minutes)"
	@$(PIP) -e '.[dev]'
	@touch $(VENV)/.base $@
