"""Meters of power, on boards laid out in a folder; and what is added up of what they show."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_bench.machine.energy import Energy, Power, Recorder, find, pmic_watts
from support.boards import PI_MODEL, lay, program

PMIC = """\
 3V7_WL_SW_A current(0)=0.10000000A
   3V3_SYS_A current(1)=0.08000000A
  DDR_VDDQ_A current(4)=0.00000000A
  VDD_CORE_A current(7)=1.50000000A
   0V8_AON_A current(16)=0.00300000A
 3V7_WL_SW_V volt(8)=3.70000000V
   3V3_SYS_V volt(9)=3.30000000V
  DDR_VDDQ_V volt(12)=0.60000000V
  VDD_CORE_V volt(15)=0.80000000V
   0V8_AON_V volt(19)=0.80000000V
     EXT5V_V volt(24)=5.10000000V
      BATT_V volt(25)=0.00000000V
"""
"""As a Raspberry Pi 5 prints it: currents first, then voltages, some of which have no current."""
PMIC_WATTS = 0.1 * 3.7 + 0.08 * 3.3 + 1.5 * 0.8 + 0.003 * 0.8
RAPL = "sys/class/powercap/intel-rapl:0"
HWMON = "sys/class/hwmon/hwmon0"
BATTERY = "sys/class/power_supply/BAT0"
FULL_UJ = 262_143_328_850


def rapl(root: Path, microjoules: int) -> Path:
    files = {
        "name": "package-0\n",
        "energy_uj": f"{microjoules}\n",
        "max_energy_range_uj": f"{FULL_UJ}\n",
    }
    lay(root, {f"{RAPL}/{name}": text for name, text in files.items()})
    core = f"{RAPL.rpartition('/')[0]}/intel-rapl:0:0"
    return lay(root, {f"{core}/name": "core\n", f"{core}/energy_uj": "1\n", f"{core}/max_energy_range_uj": "9\n"})


def recorded(root: Path) -> Recorder:
    meter = find(root).meter
    assert meter is not None
    return Recorder(meter)


def energy(recorder: Recorder) -> Energy:
    found = recorder.result()
    assert found is not None
    return found


def test_a_machine_without_a_meter_has_none_and_says_so(tmp_path: Path) -> None:
    found = find(tmp_path)
    assert found.meter is None
    assert found.why == "this machine has no meter of its power"


def test_the_package_is_counted_and_its_cores_are_not_counted_again(tmp_path: Path) -> None:
    recorder = recorded(rapl(tmp_path, 5_000_000))
    recorder.sample(10.0)
    rapl(tmp_path, 25_000_000)
    recorder.sample(14.0)
    assert energy(recorder) == Energy("RAPL package-0", "the CPU package only", 20.0, 4.0, 5.0, 2)


def test_a_counter_that_began_again_is_read_on(tmp_path: Path) -> None:
    recorder = recorded(rapl(tmp_path, FULL_UJ - 3_000_000))
    recorder.sample(0.0)
    rapl(tmp_path, 4_000_000)
    recorder.sample(1.0)
    rapl(tmp_path, 6_000_000)
    recorder.sample(2.0)
    assert energy(recorder).joules == pytest.approx(9.0)


def test_all_packages_are_added(tmp_path: Path) -> None:
    rapl(tmp_path, 0)
    second = {"name": "package-1", "energy_uj": "0", "max_energy_range_uj": "9000000"}
    lay(tmp_path, {f"sys/class/powercap/intel-rapl:1/{name}": text for name, text in second.items()})
    recorder = recorded(tmp_path)
    recorder.sample(0.0)
    rapl(tmp_path, 2_000_000)
    lay(tmp_path, {"sys/class/powercap/intel-rapl:1/energy_uj": "1000000"})
    recorder.sample(1.0)
    assert (energy(recorder).meter, energy(recorder).joules) == ("RAPL package-0 + package-1", 3.0)


def test_the_platform_is_taken_before_the_package(tmp_path: Path) -> None:
    rapl(tmp_path, 1)
    lay(tmp_path, {"sys/class/powercap/intel-rapl:1/name": "psys", "sys/class/powercap/intel-rapl:1/energy_uj": "7"})
    found = find(tmp_path).meter
    assert found is not None
    assert found.name == "RAPL psys"


def test_a_counter_that_stands_still_tells_nothing(tmp_path: Path) -> None:
    recorder = recorded(rapl(tmp_path, 7))
    recorder.sample(0.0)
    recorder.sample(9.0)
    assert recorder.result() is None


def test_a_meter_that_goes_away_leaves_no_figure(tmp_path: Path) -> None:
    recorder = recorded(rapl(tmp_path, 1_000_000))
    recorder.sample(0.0)
    (tmp_path / RAPL / "energy_uj").unlink()
    recorder.sample(1.0)
    rapl(tmp_path, 9_000_000)
    recorder.sample(2.0)
    assert recorder.result() is None


def test_one_look_is_no_measurement(tmp_path: Path) -> None:
    recorder = recorded(rapl(tmp_path, 1_000_000))
    recorder.sample(0.0)
    assert recorder.result() is None


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter, while the test is nobody."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_counter_that_only_root_may_read_is_told_with_what_to_do(public: Path) -> None:
    path = rapl(public, 1) / RAPL / "energy_uj"
    path.chmod(0o400 if os.geteuid() == 0 else 0o000)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        found = find(public)
    finally:
        os.seteuid(me)
    assert found.meter is None
    assert f"`sudo chmod a+r {path}`" in found.why


def test_a_jetson_tells_its_whole_supply(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            f"{HWMON}/name": "ina3221",
            f"{HWMON}/in1_label": "VDD_CPU_GPU_CV",
            f"{HWMON}/in1_input": "5000",
            f"{HWMON}/curr1_input": "100",
            f"{HWMON}/in2_label": "VDD_IN",
            f"{HWMON}/in2_input": "5040",
            f"{HWMON}/curr2_input": "1000",
        },
    )
    recorder = recorded(tmp_path)
    recorder.sample(0.0)
    recorder.sample(2.0)
    found = energy(recorder)
    assert (found.meter, found.covers) == ("INA3221 VDD_IN", "the whole board")
    assert found.joules == pytest.approx(10.08)


def test_watts_between_two_looks_are_the_mean_of_both() -> None:
    shown = iter([2.0, 4.0, 4.0])
    recorder = Recorder(Power("meter", "all", lambda: next(shown)))
    for at_s in (100.0, 101.0, 103.0):
        recorder.sample(at_s)
    found = energy(recorder)
    assert (found.joules, found.seconds, found.samples) == (3.0 + 8.0, 3.0, 3)


def test_the_rails_of_a_pi_5_that_have_both_are_added() -> None:
    assert pmic_watts(PMIC) == pytest.approx(PMIC_WATTS)


@pytest.mark.parametrize("text", ["", 'error=1 error_msg="Command not registered"\n', "EXT5V_V volt(24)=5.1V\n"])
def test_what_has_no_pair_of_both_is_no_power(text: str) -> None:
    assert pmic_watts(text) is None


def pi(root: Path, script: str) -> Path:
    lay(root, {"proc/device-tree/model": PI_MODEL + "\0"})
    program(root, "usr/bin/vcgencmd", script)
    return root


def test_a_pi_5_is_asked_through_its_own_program(tmp_path: Path) -> None:
    found = find(pi(tmp_path, f"[ \"$1\" = pmic_read_adc ] && cat <<'END'\n{PMIC}END")).meter
    assert isinstance(found, Power)
    assert found.read() == pytest.approx(PMIC_WATTS)
    assert "not what hangs on USB" in found.covers


@pytest.mark.parametrize("script", ["exit 1", "echo 'error=1 error_msg=\"Command not registered\"'"])
def test_a_pi_without_such_a_chip_has_no_meter(tmp_path: Path, script: str) -> None:
    found = find(pi(tmp_path, script))
    assert found.meter is None
    assert "only a Raspberry Pi 5" in found.why
    assert "`video`" in found.why


def test_the_power_of_a_graphics_card_is_not_the_boards(tmp_path: Path) -> None:
    lay(tmp_path, {f"{HWMON}/name": "amdgpu", f"{HWMON}/power1_average": "9000000"})
    assert find(tmp_path).meter is None


def test_another_chip_is_named_with_its_label(tmp_path: Path) -> None:
    lay(tmp_path, {f"{HWMON}/name": "ina226", f"{HWMON}/power1_input": "2500000", f"{HWMON}/power1_label": "5V supply"})
    found = find(tmp_path).meter
    assert isinstance(found, Power)
    assert (found.covers, found.read()) == ("what the chip ina226 5V supply is wired to", 2.5)


def test_of_amd_energy_the_sockets_are_counted_and_not_their_cores(tmp_path: Path) -> None:
    files = {"name": "amd_energy", "energy1_label": "Ecore000", "energy1_input": "1000000"}
    files |= {"energy2_label": "Esocket0", "energy2_input": "5000000"}
    recorder = recorded(lay(tmp_path, {f"{HWMON}/{name}": text for name, text in files.items()}))
    recorder.sample(0.0)
    lay(tmp_path, {f"{HWMON}/energy1_input": "3000000", f"{HWMON}/energy2_input": "9000000"})
    recorder.sample(1.0)
    assert (energy(recorder).meter, energy(recorder).joules) == ("amd_energy Esocket0", 4.0)


def test_a_counter_without_a_known_end_that_goes_back_leaves_no_figure(tmp_path: Path) -> None:
    recorder = recorded(lay(tmp_path, {f"{HWMON}/name": "odd", f"{HWMON}/energy1_input": "5000000"}))
    recorder.sample(0.0)
    lay(tmp_path, {f"{HWMON}/energy1_input": "1000000"})
    recorder.sample(1.0)
    assert recorder.result() is None


@pytest.mark.parametrize(
    "figures",
    [{"power_now": "6500000"}, {"voltage_now": "13000000", "current_now": "-500000"}],
)
def test_a_battery_that_empties_tells_the_power_of_the_machine(tmp_path: Path, figures: dict[str, str]) -> None:
    files = {"type": "Battery", "status": "Discharging", **figures}
    found = find(lay(tmp_path, {f"{BATTERY}/{name}": text for name, text in files.items()})).meter
    assert isinstance(found, Power)
    assert found.read() == pytest.approx(6.5)


def test_a_battery_that_is_charged_tells_nothing(tmp_path: Path) -> None:
    files = {"type": "Battery", "status": "Charging", "power_now": "6500000"}
    found = find(lay(tmp_path, {f"{BATTERY}/{name}": text for name, text in files.items()}))
    assert found.meter is None
    assert "unplug the charger" in found.why


@pytest.mark.parametrize("text", ["", "nonsense", "-5"])
def test_a_meter_that_shows_no_number_is_none(tmp_path: Path, text: str) -> None:
    lay(tmp_path, {f"{RAPL}/name": "package-0", f"{RAPL}/energy_uj": text})
    found = find(tmp_path)
    assert found.meter is None
    assert found.why == "RAPL package-0 is there and gives no number"
