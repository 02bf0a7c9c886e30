"""What is read from files is taken as it stands or refused with a line that says where and what."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field, ValidationError, model_validator

from fer_edge.strict import StrictModel, loads_json, problems


def _short(text: str) -> str:
    if len(text) > 3:
        raise ValueError("a name has up to three letters")
    return text


class Inner(StrictModel):
    size: Annotated[int, Field(ge=8)]

    @model_validator(mode="after")
    def _even(self) -> Inner:
        if self.size % 2:
            raise ValueError(f"{self.size} is odd")
        return self


class Outer(StrictModel):
    name: Annotated[str, AfterValidator(_short)]
    share: float = 0.0
    inner: Inner


RIGHT: dict[str, Any] = {"name": "a", "share": 0.5, "inner": {"size": 8}}


def lines(data: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(data)
    return problems(caught.value)


def test_a_right_record_is_read() -> None:
    assert Outer.model_validate(RIGHT).inner.size == 8


def test_an_unknown_key_is_named_with_its_place() -> None:
    assert lines({**RIGHT, "inner": {"size": 8, "syze": 9}}) == ["inner.syze is not a known key"]


def test_a_missing_key_is_named_with_its_place() -> None:
    assert lines({**RIGHT, "inner": {}}) == ["inner.size is missing"]


def test_text_is_not_bent_into_a_number() -> None:
    assert lines({**RIGHT, "inner": {"size": "8"}}) == ["inner.size: input should be a valid integer (found '8')"]


def test_true_is_not_a_number() -> None:
    assert lines({**RIGHT, "share": True}) == ["share: input should be a valid number (found True)"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_must_be_finite(value: float) -> None:
    assert lines({**RIGHT, "share": value}) == [f"share: input should be a finite number (found {value})"]


def test_a_rule_of_our_own_speaks_in_its_own_words() -> None:
    assert lines({**RIGHT, "inner": {"size": 9}}) == ["inner: 9 is odd"]
    assert lines({**RIGHT, "name": "Gustav"}) == ["name: a name has up to three letters (found 'Gustav')"]


def test_all_mistakes_are_told_at_once() -> None:
    assert len(lines({"nam": "a", "share": "x", "inner": {"size": 1}})) == 4


def test_a_mistake_in_the_whole_is_at_the_top_level() -> None:
    assert lines([])[0].startswith("top level: ")


def test_a_long_value_is_shortened() -> None:
    (line,) = lines({**RIGHT, "share": "x" * 500})
    assert len(line) < 140


def test_a_record_does_not_change_later() -> None:
    record = Outer.model_validate(RIGHT)
    with pytest.raises(ValidationError, match="frozen"):
        record.name = "b"


def test_json_is_read() -> None:
    assert loads_json(b'{"a": [1, 2.5, "x", null]}') == {"a": [1, 2.5, "x", None]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' occurs twice"),
        (b'[{"b": {"a": 1, "a": 1}}]', "the key 'a' occurs twice"),
        (b'{"a": NaN}', "NaN is not allowed"),
        (b'{"a": -Infinity}', "-Infinity is not allowed"),
        (b"[" * 200_000, "it is nested too deeply"),
        (b'{"a": 1', "Expecting"),
        (b'{"a": "\xff"}', "can't decode"),
        (b"", "Expecting value"),
    ],
)
def test_json_with_a_fault_is_refused_with_a_reason(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        loads_json(text)
