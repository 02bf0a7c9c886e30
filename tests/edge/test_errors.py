"""Errors: each has one exit code, and the codes are the ones every command promises."""

from __future__ import annotations

import inspect

import pytest

from fer_edge import errors
from fer_edge.errors import ExitCode, FerEdgeError

PROMISED = {
    "UsageError": 2,
    "InputError": 69,
    "OutputError": 69,
    "RuntimeUnavailable": 69,
    "CameraBroken": 69,
    "CameraLost": 75,
    "InferenceFailed": 75,
    "OutOfMemory": 75,
    "BundleRefused": 78,
    "RuntimeRefused": 78,
    "ConfigError": 78,
}


def _classes() -> dict[str, type[FerEdgeError]]:
    found = inspect.getmembers(errors, inspect.isclass)
    return {name: cls for name, cls in found if issubclass(cls, FerEdgeError) and cls is not FerEdgeError}


@pytest.mark.parametrize(("name", "code"), PROMISED.items())
def test_an_error_ends_the_process_with_the_promised_code(name: str, code: int) -> None:
    assert int(_classes()[name].exit_code) == code


def test_every_error_has_a_promise_in_this_table() -> None:
    assert set(_classes()) == set(PROMISED)


def test_exit_codes_are_six_different_numbers() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "GATE_NOT_MET": 1,
        "USAGE": 2,
        "UNAVAILABLE": 69,
        "TRY_AGAIN": 75,
        "REFUSED": 78,
    }


def test_an_error_reads_as_its_sentence() -> None:
    assert str(errors.InputError("there is no such file: a.png")) == "there is no such file: a.png"
