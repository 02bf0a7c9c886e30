"""The part of fer-edge that runs on the device: from a camera frame to an expression event."""

__version__ = "0.1.0"
