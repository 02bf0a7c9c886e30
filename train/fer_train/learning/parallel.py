"""One training over several devices, each with its part of every batch and the same weights.

TensorFlow does it by `tf.distribute.MirroredStrategy` on one host; over several hosts Keras 3 does not train under
TensorFlow. JAX does it by `keras.distribution`, also on several hosts, as the variables
KERAS_DISTRIBUTION_JOB_ADDRESSES, ..._NUM_PROCESSES and ..._PROCESS_ID say. For torch Keras has no data parallelism of
its own, so a training under torch uses one device.

The recipe's batch is that of all devices together, and batch normalisation looks at all of it, so that a recipe means
the same on any number of devices.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from fer_edge.errors import ConfigError, UsageError
from fer_train import backend
from fer_train.learning.batches import Share
from fer_train.learning.network import every_layer

TF_CONFIG = "TF_CONFIG"
JAX_HOSTS = "KERAS_DISTRIBUTION_JOB_ADDRESSES"

Scope = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Devices:
    """What a training runs on. count: devices of all hosts. host: this one's number, from 0."""

    count: int = 1
    host: int = 0
    hosts: int = 1
    scope: Scope = nullcontext
    """Networks made inside are on all devices."""

    @property
    def judging(self) -> Scope:
        """Where the network is made that validates: on one host all devices do it, else each host for itself."""
        return self.scope if self.hosts == 1 else nullcontext

    @property
    def share(self) -> Share:
        """This process's part of the batches it is to make."""
        if backend.name() == "tensorflow":
            return Share(self.count)  # tf.distribute deals whole batches out itself
        return Share(self.count, self.host, self.hosts)

    @property
    def judges(self) -> int:
        """How many devices validate together."""
        return self.count if self.hosts == 1 else 1

    def check(self, batch: int) -> None:
        """Raise ConfigError for a batch that does not part evenly."""
        if batch % self.count:
            raise ConfigError(f"fit.batch = {batch} does not part evenly over {self.count} devices")

    def synchronise(self, model: keras.Model) -> None:
        """Let batch normalisation see the whole batch; under JAX it does so anyway."""
        if self.count > 1 and backend.name() == "tensorflow":
            for layer in every_layer(model):
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True


def own_folder(out: Path) -> Path:
    """Where this process keeps its run: the first host in `out`, each further one in a folder there."""
    number = _host_number()
    return out if number == 0 else out / f"host-{number}"


@contextmanager
def over(wanted: int | None) -> Iterator[Devices]:
    """So many devices, or with None all accelerators there are; raises UsageError when there are fewer."""
    name = backend.name()
    if name == "tensorflow":
        yield _tensorflow(wanted)
    elif name == "jax":
        yield from _jax(wanted)
    else:
        if (wanted or 1) > 1:
            raise UsageError(
                f"--devices {wanted}: training under {name} uses one device; TensorFlow and JAX use several"
            )
        yield Devices()


def _tensorflow(wanted: int | None) -> Devices:
    tf = backend.tensorflow()
    if len(_tasks()) > 1:
        raise UsageError(
            f"{TF_CONFIG} names several hosts, and Keras does not train over them under TensorFlow: "
            f"use KERAS_BACKEND=jax with {JAX_HOSTS}, or unset {TF_CONFIG}"
        )
    accelerators = tf.config.list_logical_devices("GPU")
    found = accelerators or tf.config.list_logical_devices("CPU")
    count = _count(wanted, len(found), bool(accelerators))
    if count == 1:
        return Devices()
    strategy = tf.distribute.MirroredStrategy([device.name for device in found[:count]])
    return Devices(count, scope=strategy.scope)


def _jax(wanted: int | None) -> Iterator[Devices]:
    several_hosts = JAX_HOSTS in os.environ
    if several_hosts:
        keras.distribution.initialize()
    found = keras.distribution.list_devices()
    count = len(found) if several_hosts else _count(wanted, len(found), not found[0].startswith("cpu"))
    if count == 1:
        yield Devices()
        return
    distribution = keras.distribution.DataParallel(devices=found[:count], auto_shard_dataset=False)
    yield Devices(count, _host_number(), _hosts(), distribution.scope)


def _count(wanted: int | None, found: int, accelerators: bool) -> int:
    """All accelerators when nothing is said; a processor is one device unless several are asked for."""
    if wanted is None:
        return found if accelerators else 1
    if wanted > found:
        raise UsageError(f"--devices {wanted}: {found} {'is' if found == 1 else 'are'} here")
    return wanted


def _tasks() -> list[str]:
    """The addresses of all hosts that train under TensorFlow, as TF_CONFIG says."""
    cluster = _tf_config().get("cluster", {})
    return [address for kind in ("chief", "worker") for address in cluster.get(kind, [])]


def _hosts() -> int:
    return int(os.environ.get("KERAS_DISTRIBUTION_NUM_PROCESSES", "1"))


def _host_number() -> int:
    return int(os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID", "0")) if backend.name() == "jax" else 0


def _tf_config() -> dict[str, Any]:
    text = os.environ.get(TF_CONFIG) or "{}"
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{TF_CONFIG} is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{TF_CONFIG} is no JSON object")
    return found
