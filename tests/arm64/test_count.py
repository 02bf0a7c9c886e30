"""Counting instructions, as far as no emulator is needed: marks, stages, tables, and what is refused."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from arm64 import count, count_frames, counted
from arm64.counted import NotCounted, parsed, stages
from arm64.counts import FrameCount, NetCount, frames_table, nets_table, per_frame, per_inference, whole
from arm64.marks import CLASSIFIER, DETECTOR, EMPTY, NET, OUTSIDE, PLACE, REST
from arm64.root import Missing
from support.tiny import tiny_bundle

PLAIN = "qemu-aarch64 version 7.2.22 (Debian 1:7.2)\n-plugin   QEMU_PLUGIN\n"


def test_a_stage_lasts_until_the_next_mark_less_what_a_mark_costs() -> None:
    text = (
        f"{EMPTY} 100\n{EMPTY} 110\n{EMPTY} 120\n{OUTSIDE} 130\n{NET} 500\n{OUTSIDE} 1510\n{NET} 2000\n{OUTSIDE} 3011\n"
    )
    assert stages(parsed(text)) == {NET: [1000, 1001]}


def test_what_the_plugin_did_not_write_is_refused() -> None:
    with pytest.raises(NotCounted, match="wrote what is no mark: '2 12\\\\nthree'"):
        parsed("2 12\nthree")
    with pytest.raises(NotCounted, match="set no mark"):
        parsed("")


def test_an_inference_is_the_median_and_its_spread_a_share() -> None:
    assert per_inference([1000, 1010, 990, 1000, 1500]) == (1000, 5, 0.51)


def test_a_frame_is_an_average_and_the_net_is_within_the_classifier() -> None:
    found = per_frame({DETECTOR: [600], CLASSIFIER: [20, 20], NET: [160], REST: [50, 50, 100]}, 2)
    assert found == {"detector": 300, "classifier": 100, "net": 80, "rest": 100}
    assert whole(found) == 500


def test_a_method_of_something_marked_is_a_stage_within_the_stage_that_called_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(count_frames, "mark", seen.append)

    class Classifier:
        labels = ("happy",)

        def __init__(self, net: count_frames.Marked) -> None:
            self._net = net

        def expressions(self, crops: list[str]) -> list[str]:
            return [str(self._net.upper(crop)) for crop in crops]

    class Net:
        def upper(self, crop: str) -> str:
            return crop.upper()

    marked = count_frames.Marked(Classifier(count_frames.Marked(Net(), NET)), CLASSIFIER)
    assert marked.labels == ("happy",)
    assert seen == []
    assert marked.expressions(["a", "b"]) == ["A", "B"]
    assert seen == [CLASSIFIER, NET, CLASSIFIER, NET, CLASSIFIER, REST]


def test_a_table_has_a_column_per_board_and_says_below_what_failed() -> None:
    counts = [
        NetCount("mine", "litert", "pi4", 30_932_321, 5, 0.00002),
        NetCount("mine", "litert", "pi5", 9_836_000, 5, 0.00006),
        NetCount("other", "openvino", "pi4", failed="object is not initialized"),
        NetCount("other", "openvino", "pi5", 15_374_000, 5, 0.0),
    ]
    assert nets_table(counts, ["pi4", "pi5"]).splitlines() == [
        "M instructions per inference  runtime      pi4     pi5  spread %",
        "----------------------------  --------  ------  ------  --------",
        "mine                          litert    30.932   9.836     0.006",
        "other                         openvino       -  15.374     0.000",
        "pi4: other in openvino: object is not initialized",
    ]


def test_a_table_of_frames_has_shares_and_says_what_was_in_them() -> None:
    parts = {"detector": 6_000_000, "classifier": 3_000_000, "net": 2_500_000, "rest": 1_000_000}
    counts = [
        FrameCount("mine", "litert", "pi5", "clip.mp4", "yunet", 30, 69, 22, 10_000_000, parts),
        FrameCount("mine", "litert", "pi4", "clip.mp4", failed="killed"),
    ]
    assert frames_table(counts).splitlines() == [
        "M instructions per frame  runtime  board     all  detector %  classifier %  its net %  rest %",
        "------------------------  -------  -----  ------  ----------  ------------  ---------  ------",
        "mine                      litert   pi5    10.000        60.0          30.0       25.0    10.0",
        "mine                      litert   pi4         -           -             -          -       -",
        "pi5: mine: 30 frames of clip.mp4, 69 faces by yunet, 22 inferences",
        "pi4: mine in litert: killed",
    ]


def test_the_plugin_and_the_programs_agree_on_where_marks_are() -> None:
    found = re.search(r"#define PLACE UINT64_C\((\d+)\)", counted.SOURCE.read_text(encoding="ascii"))
    assert found is not None
    assert int(found[1]) == PLACE


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("version", ["7.2.22", "9.1.0"])
def test_the_plugin_compiles_and_is_kept(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "_said", lambda command: f"qemu-aarch64 version {version} (Debian)")
    plugin = counted.built(tmp_path)
    began = plugin.stat().st_mtime_ns
    assert counted.built(tmp_path) == plugin
    assert plugin.stat().st_mtime_ns == began
    assert plugin.name.startswith("count-1-" if version.startswith("7") else "count-2-")


def _machine(monkeypatch: pytest.MonkeyPatch, *, user: int = 0, programs: set[str], said: str = PLAIN) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda name: name if name in programs else None)
    monkeypatch.setattr(counted, "_said", lambda command: said)


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _machine(monkeypatch, user=1000, programs={"qemu-aarch64"})
    with pytest.raises(Missing, match=r"needs root.*sudo make count-arm64"):
        counted.require()
    _machine(monkeypatch, programs=set())
    with pytest.raises(Missing, match="apt install qemu-user"):
        counted.require()
    _machine(monkeypatch, programs={"qemu-aarch64"}, said="qemu-aarch64 version 10.0.3")
    with pytest.raises(Missing, match="takes no plugins"):
        counted.require()
    _machine(monkeypatch, programs={"qemu-aarch64"})
    counted.require()
    with pytest.raises(Missing, match="no C compiler"):
        counted.built(tmp_path)
    with pytest.raises(Missing, match=r"nothing to unpack one: apt install .*mmdebstrap"):
        counted.found_place(tmp_path, "bookworm", ["litert"], lambda line: None)


def test_a_prepared_root_is_used_and_says_what_is_in_it(tmp_path: Path) -> None:
    site = tmp_path / "bookworm" / "opt" / "fer-edge" / "lib" / "python3.11" / "site-packages"
    (site / "ai_edge_litert").mkdir(parents=True)
    (tmp_path / "bookworm" / ".made").touch()
    said: list[str] = []
    place = counted.found_place(tmp_path, "bookworm", ["litert", "openvino"], said.append)
    assert place.site == site
    assert said == [f"bookworm: {tmp_path / 'bookworm'}, with litert"]
    assert (place.has("litert"), place.has("openvino")) == (True, False)


def test_a_runtime_that_the_root_lacks_is_a_failure_of_its_nets_alone(tmp_path: Path) -> None:
    counter = counted.Counter.__new__(counted.Counter)
    counter.place = counted.Place(tmp_path, "3.11", tmp_path)
    found = count.count_net(counter, count.Net("mine", tmp_path / "a.onnx", "onnxruntime"), "pi4", 1)
    assert found.instructions is None
    assert found.failed == f"not installed in {tmp_path}"


def test_the_shipped_bundle_is_counted_where_nothing_is_named() -> None:
    arguments = count._arguments([])
    nets = count.subjects(arguments.models, arguments.bundle, arguments.runtimes)
    assert [(net.runtime, net.precision) for net in nets] == [
        ("litert", "float32"),
        ("litert", "int8"),
        ("onnxruntime", "int8"),
        ("openvino", "int8"),
    ]
    assert all(net.path.is_file() for net in nets)
    (only,) = count.subjects([], arguments.bundle, ["openvino"])
    assert only.path.suffix == ".xml"


def test_a_bundle_without_artifacts_of_the_runtime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="nothing to count"):
        count.subjects([], tiny_bundle(tmp_path), ["openvino"])


def test_models_are_told_by_their_suffix_and_must_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "a.onnx"
    model.touch()
    arguments = count._arguments(["--models", str(model)])
    (net,) = count.subjects(arguments.models, arguments.bundle, arguments.runtimes)
    assert (net.name, net.runtime) == ("a.onnx", "onnxruntime")
    for wrong, said in {
        "b.tflite": "there is no such file",
        "c.h5": "a model is one of .tflite, .onnx, .xml",
    }.items():
        with pytest.raises(SystemExit):
            count._arguments(["--models", str(tmp_path / wrong)])
        assert said in capsys.readouterr().err


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        count._arguments(["--help"])
    assert "--models" in capsys.readouterr().out
