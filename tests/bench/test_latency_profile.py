"""Profiles: what runtimes tell of their operators, what fell off the fast path, and that timing is apart."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.test_latency_batches import open_openvino
from fer_bench.latency import run as latency
from fer_bench.latency.models import open_model
from fer_bench.latency.profile import onnx, tflite
from fer_bench.latency.profile.operators import Operator, fallen
from fer_bench.latency.profile.process import profile
from fer_bench.latency.profile.words import text as words
from fer_bench.latency.run import Plan, run, text
from fer_bench.latency.worker import Job
from fer_bench.processes.children import Json, ask
from fer_bench.results.report import exit_code
from fer_bench.variants import Choice
from fer_edge.errors import ExitCode
from support.tiny import MODELS, tiny_bundle

TIMEOUT_S = 120.0
CONV = Operator("conv", "QLinearConv", "CPU", "uint8", 90.0)
LAST = Operator("fc", "QGemm", "CPU", "uint8", 5.0)


def why(*operators: Operator) -> dict[str, str]:
    return {each.name: each.why for each in fallen(operators)}


def test_a_net_of_integers_with_its_ends_in_floats_is_on_the_fast_path() -> None:
    quantize = Operator("in", "QuantizeLinear", "CPU", "float32")
    back = Operator("out", "DequantizeLinear", "CPU", "uint8")
    assert why(quantize, CONV, LAST, back, Operator("softmax", "Softmax", "CPU", "float32")) == {}


def test_a_float_operator_among_integers_is_named_with_the_islands_shores() -> None:
    found = why(
        CONV,
        Operator("dq", "DequantizeLinear", "CPU", "uint8"),
        Operator("add", "Add", "CPU", "float32"),
        Operator("q", "QuantizeLinear", "CPU", "float32"),
        LAST,
    )
    assert found == {
        "dq": "turns numbers into integers or back in the middle of the net",
        "add": "computes in float32 in a net of integers",
        "q": "turns numbers into integers or back in the middle of the net",
    }


@pytest.mark.parametrize("kind", ["Conv", "CONV_2D", "FullyConnected", "MatMul", "Gemm"])
def test_weights_in_floats_are_named_wherever_they_stand(kind: str) -> None:
    assert why(CONV, LAST, Operator("end", kind, "CPU", "float32")) == {
        "end": "computes in float32 in a net of integers"
    }


def test_floats_in_a_float_net_are_where_they_belong() -> None:
    assert why(Operator("a", "Conv", "CPU", "float32"), Operator("b", "Add", "CPU", "float32")) == {}


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        (Operator("x", "Convolution", "ref_any_f32", "float32"), "runs in a reference kernel"),
        (Operator("x", "Reorder", "jit_uni_f32", None), "only moves numbers into another layout"),
        (Operator("x", "TRANSPOSE", "XNNPACK", "int8"), "only moves numbers into another layout"),
        (
            Operator("x", "SOFTMAX", "the interpreter's own", "float32", delegated=False),
            "was not taken by the delegate and runs in the interpreter's own kernel",
        ),
    ],
)
def test_what_is_slow_anywhere_is_named(operator: Operator, reason: str) -> None:
    assert why(operator) == {"x": reason}


def node(index: int, name: str, inputs: Sequence[int], outputs: Sequence[int]) -> Json:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


def test_the_nodes_that_a_delegate_took_lie_between_its_outputs_and_its_inputs() -> None:
    chain = [
        node(0, "CONV_2D", [0, 10, 11], [1]),
        node(1, "CUSTOM", [1], [2]),
        node(2, "CONV_2D", [2, 12, 13], [3]),
        node(3, "ADD", [3, 2], [4]),
        node(4, "DELEGATE", [0, 10, 11], [1]),
        node(5, "DELEGATE", [2, 12, 13], [4]),
    ]
    assert tflite.delegated(chain) == {0, 2, 3}
    found = tflite.of_nodes(chain, {0: "int8", 1: "int8", 2: "int8", 3: "int8"}, "XNNPACK")
    assert [each.kernel for each in found] == ["XNNPACK", "the interpreter's own", "XNNPACK", "XNNPACK"]
    assert [each.name for each in fallen(found)] == ["CUSTOM 1"]


def test_without_a_delegate_every_operator_is_the_interpreters_own() -> None:
    assert tflite.delegated([node(0, "CONV_2D", [0, 1], [2])]) == set()


def test_a_nodes_time_is_the_median_of_the_counted_runs() -> None:
    def event(microseconds: int) -> Json:
        about = {"op_name": "Conv", "provider": "CPUExecutionProvider", "input_type_shape": [{"float": [1]}]}
        return {"cat": "Node", "name": "a_kernel_time", "dur": microseconds, "args": about}

    noise = [{"cat": "Session", "name": "model_run", "dur": 1}, {"cat": "Node", "name": "a_fence_before", "dur": 1}]
    (found,) = onnx.of_events([*noise, *map(event, (9000, 10, 30, 11))], aside=1)
    assert found == Operator("a", "Conv", "CPU", "float32", 11.0)


def job(path: Path, format_: str, runtime: str) -> Job:
    sha256 = open_model(str(path)).sha256
    return Job(str(path), format_, "unstated", runtime, 1, 0.0, 1, sha256=sha256)


def test_onnx_runtime_tells_times_of_a_real_net() -> None:
    pytest.importorskip("onnxruntime")
    found = profile(job(MODELS / "tiny-int8.onnx", "onnx", "onnxruntime"))
    kinds = [each["kind"] for each in found["operators"]]
    assert kinds[0] == "QuantizeLinear"
    assert kinds[-1] == "DequantizeLinear"
    assert "QLinearConv" in kinds
    assert found["runs"] == 30
    assert found["total_us"] == sum(each["us"] for each in found["operators"]) > 0
    assert {each["kind"] for each in found["fell_off"]} <= {"Transpose"}


def test_openvino_tells_times_of_a_real_net(tmp_path: Path) -> None:
    open_openvino(tmp_path)
    found = profile(job(tmp_path / "open.xml", "openvino", "openvino"))
    convolutions = [each for each in found["operators"] if each["kind"] == "Convolution"]
    assert convolutions
    assert all(each["computes"] == "float32" and each["us"] is not None for each in convolutions)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_litert_tells_operators_and_their_delegate_and_no_times(precision: str) -> None:
    asked = job(MODELS / f"tiny-{precision}.tflite", "tflite", "litert")
    found = ask(latency.PROFILER, asdict(asked), TIMEOUT_S)  # the delegate's name is told once per process
    assert {"CONV_2D", "FULLY_CONNECTED"} <= {each["kind"] for each in found["operators"]}
    assert all(each["delegated"] and each["kernel"] == "XNNPACK" for each in found["operators"])
    assert all(each["us"] is None for each in found["operators"])
    assert (found["total_us"], found["runs"], found["fell_off"]) == (None, 0, [])


def test_what_a_person_reads_names_the_operators_that_fell_off_and_their_share() -> None:
    shown = words(
        "net",
        {
            "source": "its own counters",
            "runs": 30,
            "total_us": 100.0,
            "operators": [
                {"name": "conv", "kind": "Conv", "kernel": "CPU", "computes": "uint8", "us": 80.0},
                {"name": "x" * 90 + "dq", "kind": "Add", "kernel": "CPU", "computes": "float32", "us": 20.0},
            ],
            "fell_off": [{"name": "x" * 90 + "dq", "kind": "Add", "why": "computes in float32", "us": 20.0}],
        },
    )
    assert "2 operators, 0.100 ms in them (median of 30 runs), from its own counters" in shown
    assert "off the fast path: 1 x Add computes in float32, 20.0 % of the time: …xxx" in shown
    assert max(map(len, shown.splitlines())) < 130


def test_profiles_are_asked_for_after_all_rounds_in_processes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[str] = []

    def noting(command: Sequence[str], asked: Json, timeout_s: float) -> Json:
        commands.append(command[-1])
        return ask(command, asked, timeout_s)

    monkeypatch.setattr(latency, "ask", noting)
    plan = Plan(
        str(tiny_bundle(tmp_path)),
        Choice(runtimes=("litert",)),
        rounds=2,
        min_seconds=0.02,
        min_runs=10,
        scenarios=("single-stream", "offline"),
        profile=True,
    )
    report = run(plan, lambda _: None)
    worker, profiler = latency.WORKER[-1], latency.PROFILER[-1]
    assert commands == [worker] * 8 + [profiler] * 2
    assert [row.profile is not None for row in report.rows] == [True, True, False, False]
    assert "profile of tflite/int8 with litert on 1 thread: 5 operators" in text(report)


def test_a_profile_that_fails_is_told_and_spoils_no_figure(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path, precisions=("int8",))
    plan = Plan(str(bundle), Choice(runtimes=("litert",)), rounds=1, min_seconds=0.02, min_runs=10, profile=True)
    report = run(plan, lambda _: None, profiler=(sys.executable, "-c", "import sys; sys.exit('no counters')"))
    assert "profile of tflite/int8 with litert on 1 thread: ended with status 1: no counters" in text(report)
    assert exit_code(report) == ExitCode.OK
