#!/usr/bin/env bash
# Runs the device's tests (tests/edge) with the base install on old and new Pythons and libraries, each in its own venv.
#
#   tests/system/device_matrix.sh [ROW...]        default: every row; a row whose Python is not found is skipped
#
# PYTHONS: where to look for the Pythons besides $PATH, as folders separated by colons. MATRIX: where the venvs go.
set -euo pipefail
cd "$(dirname "$0")/../.."

# name  Python  what is installed besides or instead of the newest
rows='
jetson-6    3.10  numpy==1.24.4 opencv-python-headless==4.10.0.84 onnxruntime==1.23.2
bookworm    3.11  numpy==1.24.4 opencv-python-headless==4.11.0.86
tflite      3.11  numpy==1.26.4 opencv-python-headless==4.11.0.86 tflite-runtime==2.14.0
opencv-5    3.11  opencv-python-headless==5.0.0.93
jetson-7    3.12  -c constraints.txt
trixie      3.13  -c constraints.txt onnxruntime
'
tools='pytest pytest-timeout pytest-randomly pytest-xdist hypothesis jsonschema'
matrix=${MATRIX:-build/matrix}
wanted=" $* "
failed=() skipped=()

while read -r name version packages; do
  [[ -n $name && ($# -eq 0 || $wanted == *" $name "*) ]] || continue
  if ! python=$(PATH="${PYTHONS:-}${PYTHONS:+:}$PATH" command -v "python$version") || ! "$python" -c '' 2>/dev/null; then
    skipped+=("$name: no python$version")
    continue
  fi
  venv=$matrix/$name
  echo "== $name: Python $version, $packages"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  # shellcheck disable=SC2086 # words are wanted
  if ! "$venv/bin/python" -m pip install -qq --disable-pip-version-check ".[mqtt,web]" $tools $packages; then
    failed+=("$name: could not be installed")
    continue
  fi
  "$venv/bin/python" -c 'import cv2, numpy, platform; print("   Python", platform.python_version(), "numpy", numpy.__version__, "OpenCV", cv2.__version__)'
  "$venv/bin/python" -m pytest -q -n 2 --dist loadfile tests/edge || failed+=("$name")
done <<<"$rows"

((${#skipped[@]} == 0)) || printf 'skipped: %s\n' "${skipped[@]}"
if ((${#failed[@]})); then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
