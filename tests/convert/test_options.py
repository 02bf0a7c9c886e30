"""The words of the command line and what they mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert.options import Job, parse_artifacts, parse_labels, parse_precisions, parse_preprocess
from fer_edge.bundle import Format
from fer_edge.errors import UsageError
from fer_edge.preprocess import Preprocess


def test_a_range_is_what_black_and_white_become() -> None:
    table = Preprocess(parse_preprocess("color=gray,size=8,range=-1..1")).tensor(np.array([[[0, 255]]], np.uint8))
    assert table.ravel().tolist() == [-1.0, 1.0]


def test_the_range_of_plain_pixels() -> None:
    table = Preprocess(parse_preprocess("color=rgb,size=8,range=0..255")).tensor(
        np.array([[[[0, 128, 255]]]], np.uint8)
    )
    assert table.ravel().tolist() == pytest.approx([0.0, 128.0, 255.0])


def test_three_channels_have_three_means() -> None:
    found = parse_preprocess("color=rgb,size=224,mean=0.485/0.456/0.406,std=0.25,layout=NHWC")
    assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.25, 0.25, 0.25))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("color=gray,size=48", "mean is missing; std is missing"),
        ("color=gray,size=48,range=1..-1", "START..END"),
        ("color=gray,size=48,range=0..1,mean=0.5", "not both"),
        ("color=gray,size=big,range=0..1", "'big' is not a number"),
        ("color=gray,size=48,size=64,range=0..1", "gives size twice"),
        ("colour=gray,size=48,range=0..1", "found 'colour=gray'"),
        ("color=cmyk,size=48,range=0..1", "color: "),
        ("color=gray,size=48,mean=0.5/0.5/0.5,std=1", "need 1 values for gray"),
        ("color=gray,size=48,mean=0.5,std=0", "std.0: "),
    ],
)
def test_a_mistake_in_the_preprocessing_is_named(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match="--preprocess") as refused:
        parse_preprocess(text)
    assert sentence in str(refused.value)


def test_labels_come_in_this_projects_spelling() -> None:
    assert parse_labels("Anger, happiness,neutral") == ("angry", "happy", "neutral")


@pytest.mark.parametrize("text", ["", "happy", "happy,,sad", "angry,anger"])
def test_labels_that_are_missing_or_double_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="each once"):
        parse_labels(text)


def test_precisions_come_in_one_order() -> None:
    assert parse_precisions("int8,float32") == parse_precisions("float32, int8") == ("float32", "int8")


@pytest.mark.parametrize(("text", "sentence"), [("int4", "'int4' is not known"), ("int8,int8", "twice")])
def test_a_precision_that_cannot_be_made_is_named(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_precisions(text)


def job(**more: Any) -> Job:
    return Job(Path("model"), Path("out"), calibrate="data", **more)


def test_artifacts_that_are_left_out_are_not_made() -> None:
    left = parse_artifacts("openvino/float32, onnx/float32")
    assert left == ("onnx/float32", "openvino/float32")
    assert job(leave_out=left).wanted == (
        ("tflite", "float32"),
        ("tflite", "int8"),
        ("onnx", "int8"),
        ("openvino", "int8"),
    )


def test_without_artifacts_of_eight_bits_no_calibration_is_asked_for() -> None:
    asked = Job(Path("model"), Path("out"), evaluate="data", formats=("onnx",), leave_out=("onnx/int8",))
    assert asked.wanted == (("onnx", "float32"),)


@pytest.mark.parametrize(
    ("formats", "left", "sentence"),
    [
        (("onnx",), ("tflite/int8",), "--leave-out tflite/int8 is none of what would be made: onnx/float32, onnx/int8"),
        (("onnx",), ("onnx/float32", "onnx/int8"), "--leave-out leaves nothing to be made"),
    ],
)
def test_leaving_out_what_is_not_there_or_all_of_it_is_refused(
    formats: tuple[Format, ...], left: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        job(formats=formats, leave_out=left)


@pytest.mark.parametrize("text", ["onnx", "onnx/int16x8", "tflite/int8,tflite/int8", ""])
def test_what_is_left_out_is_named_as_format_and_precision(text: str) -> None:
    with pytest.raises(UsageError, match="--leave-out"):
        parse_artifacts(text)
