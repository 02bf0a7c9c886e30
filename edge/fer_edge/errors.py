"""Errors that word themselves: one sentence for the person, one exit code for the shell.

Exit codes are the same in every command: 0 ok, 1 a gate was not met, 2 usage, 69 something needed
is not available (runtime, camera, file), 75 try again (wedged or lost on the way), 78 configuration or model refused.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses, the upper three as in BSD's `sysexits.h`."""

    OK = 0
    GATE_NOT_MET = 1
    USAGE = 2
    UNAVAILABLE = 69
    TRY_AGAIN = 75
    REFUSED = 78


class FerEdgeError(Exception):
    """Base of all errors that a command reports as one sentence: `str(error)`, then `exit_code`."""

    exit_code: ExitCode = ExitCode.UNAVAILABLE


def bare(error: FerEdgeError) -> FerEdgeError:
    """The error as it is told, without the frames it came through: they keep alive all that was open in them."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class UsageError(FerEdgeError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = ExitCode.USAGE


class InputError(FerEdgeError):
    """A file or folder that was named is missing, unreadable, or not what it should be."""

    exit_code = ExitCode.UNAVAILABLE


class OutputError(FerEdgeError):
    """Something cannot be written where it was asked for."""

    exit_code = ExitCode.UNAVAILABLE


class RuntimeUnavailable(FerEdgeError):  # noqa: N818 - a state, read as a sentence: "runtime unavailable"
    """An inference runtime or library is not installed or does not run on this board; names the extra."""

    exit_code = ExitCode.UNAVAILABLE


class CameraLost(FerEdgeError):  # noqa: N818 - a state of the camera, not a programming error
    """The camera is gone or broke off; opening it again may help.

    worth_waiting: whether a daemon that finds this at its start should stay and wait.
    """

    exit_code = ExitCode.TRY_AGAIN
    worth_waiting = True


class CameraBroken(FerEdgeError):  # noqa: N818 - a state of the camera, not a programming error
    """The source cannot work as asked; opening it again will not help."""

    exit_code = ExitCode.UNAVAILABLE


class OutOfMemory(FerEdgeError):  # noqa: N818 - a state of the process
    """There is no memory left; a new process may have some."""

    exit_code = ExitCode.TRY_AGAIN
    sentence = "out of memory"


NO_THREAD = "can't start new thread"
"""What CPython says where there is no memory for a thread's stack."""
OPENCV_NO_MEMORY = -4
"""`cv2.Error.StsNoMem`, without cv2."""


def is_want_of_memory(error: BaseException) -> bool:
    """Python, its threads and OpenCV each say it in their own way."""
    if isinstance(error, RuntimeError):
        return str(error) == NO_THREAD
    return isinstance(error, MemoryError) or (
        type(error).__module__ == "cv2" and getattr(error, "code", None) == OPENCV_NO_MEMORY
    )


class InferenceFailed(FerEdgeError):  # noqa: N818 - says what happened to the frame
    """The model gave no expression for a frame: its outputs are no numbers, or not the ones there should be."""

    exit_code = ExitCode.TRY_AGAIN


class BundleRefused(FerEdgeError):  # noqa: N818 - says what happened to the bundle
    """A bundle, or an artifact in it, is not what its manifest says."""

    exit_code = ExitCode.REFUSED


class RuntimeRefused(BundleRefused):
    """An artifact that is as its manifest says, and that this runtime does not run here, or runs to other outputs."""


class ConfigError(FerEdgeError):
    """The configuration has mistakes; the message lists all of them."""

    exit_code = ExitCode.REFUSED


def first_line(error: Exception) -> str:
    """The first line of what a library's error says, else the name of its kind: libraries' errors run over many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
