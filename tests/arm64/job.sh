#!/bin/bash
# What is done inside the booted machine; `machine.py` reads the lines that begin with STEP. One phase for each boot.
exec > /dev/console 2>&1
BIN=/opt/fer-edge/bin/fer-edge
EVENTS=/var/lib/fer-edge/events.jsonl
DONE=/var/lib/job-phase
now() { cut -d' ' -f1 /proc/uptime; }
step() { printf 'STEP %s|%s|%s|%s\n' "$1" "$2" "$(now)" "$3"; }  # name, ok or FAIL, seconds since boot, what came of it
property() { systemctl show -p "$1" --value fer-edge; }
count() { grep -c "\"type\":\"$1\"" "$EVENTS" 2>/dev/null || true; }
# until WHAT SECONDS COMMAND...: wait until it holds
until_holds() {
  local what=$1 end=$((SECONDS + $2)); shift 2
  until "$@"; do
    if ((SECONDS > end)); then step "$what" FAIL "not within the time given"; return 1; fi
    sleep 0.5
  done
}
more() { [[ $(count "$1") -gt $2 ]]; }
restarts() { [[ $(property NRestarts) -gt $1 ]]; }

first_boot() {
  step boot ok "$(uname -m), $(. /etc/os-release; echo "$PRETTY_NAME"), kernel $(uname -r)"
  modprobe vivid node_types=0x1 && until_holds "/dev/video0" 20 test -e /dev/video0 && step "vivid" ok "$(cat /sys/class/video4linux/video0/name)"
  step "fer-edge cameras" ok "$($BIN cameras | head -n 1)"
  $BIN service install > /run/install.log && step "service install" ok "$(property ActiveState)" || step "service install" FAIL "$(tail -n 2 /run/install.log)"
  until_holds "first event" 180 more expression 0 && step "first event" ok "of a /dev/video0 that is vivid"

  local seen; seen=$(count camera_lost)
  v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=100
  until_holds "stalled camera is lost" 60 more camera_lost "$seen" && step "stalled camera is lost" ok "$(grep '"type":"camera_lost"' $EVENTS | tail -n 1 | grep -o '"reason":"[^"]*"')"
  v4l2-ctl -d /dev/video0 -c percentage_of_dropped_buffers=0
  until_holds "and comes back" 90 more camera_back "$seen" && step "and comes back" ok ""

  seen=$(count camera_lost)
  v4l2-ctl -d /dev/video0 -c disconnect=1
  until_holds "unplugged camera is lost" 60 more camera_lost "$seen" && step "unplugged camera is lost" ok "$(grep '"type":"camera_lost"' $EVENTS | tail -n 1 | grep -o '"reason":"[^"]*"')"
  for _ in $(seq 20); do modprobe -r vivid 2>/dev/null && break; sleep 0.5; done
  modprobe vivid node_types=0x1
  until_holds "plugged in again" 120 more camera_back "$seen" && step "plugged in again" ok "restarts $(property NRestarts)"

  local before; before=$(property NRestarts)
  local began; began=$(now)
  kill -STOP "$(property MainPID)"
  until_holds "watchdog" 90 restarts "$before" && step "watchdog" ok "began $began, result $(journalctl -u fer-edge -o cat | grep -m 1 -i watchdog)"
  seen=$(count expression)
  until_holds "events after the watchdog" 180 more expression "$seen" && step "events after the watchdog" ok ""

  began=$(now)
  systemctl stop fer-edge
  [[ $(property Result) = success && $(tail -n 1 $EVENTS) = *'"type":"stopped"'* ]] && step "systemctl stop" ok "began $began" || step "systemctl stop" FAIL "$(property Result)"
  peak=$(journalctl -u fer-edge -o cat | grep -oE '[0-9.]+[KMG] memory peak' | tail -n 1)
  step "memory" ok "${peak:-not told by this systemd}"
  sync
  echo 2 > $DONE
  systemctl --no-block reboot
}

second_boot() {
  step "boot again" ok "service $(property ActiveState)"
  modprobe vivid node_types=0x1
  local seen; seen=$(count expression)
  until_holds "events after the reboot" 240 more expression "$seen" && step "events after the reboot" ok "service $(property ActiveState), $(property UnitFileState)"
  sync
  step end ok ""
  systemctl --no-block poweroff
}

case $(cat $DONE 2>/dev/null) in
2) second_boot ;;
*) first_boot ;;
esac
