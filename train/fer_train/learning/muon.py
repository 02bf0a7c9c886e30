"""Muon for convolutions: every kernel's step is made as far in all directions as in its strongest one.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; steps as large as Adam's, so that rate
and decay mean the same, by Liu et al. 2025, "Muon is scalable for LLM training" (arXiv:2502.16982).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

OTHERS_RATE = 0.3
"""Adam's rate for vectors and the output layer, of the rate for kernels."""


class ConvolutionMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Keras' Muon, which leaves everything but matrices to Adam, with kernels of any rank taken as matrices.

    A kernel (..., inputs, outputs) is the matrix of all that flows into an output: (field * inputs, outputs). Vectors,
    and the kernel that comes last, which is the output layer's, get AdamW at `OTHERS_RATE` of the rate.
    """

    def __init__(self, learning_rate: Any, weight_decay: float | None, momentum: float, **more: Any) -> None:  # noqa: ANN401 - Keras' types
        """more: what every Keras optimizer takes, such as `use_ema`."""
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            adam_weight_decay=weight_decay,
            momentum=momentum,
            adam_lr_ratio=OTHERS_RATE,
            **more,
        )
        self._last = ""

    def build(self, var_list: list[Any]) -> None:
        """Note which kernel comes last."""
        self._last = next((variable.path for variable in reversed(var_list) if len(variable.shape) > 1), "")
        super().build(var_list)

    def _should_use_adamw(self, variable: Any) -> bool:  # noqa: ANN401 - a Keras variable
        return len(variable.shape) < 2 or variable.path == self._last

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:  # noqa: ANN401 - tensors of whatever backend
        self.assign(m, ops.add(ops.multiply(m, self.momentum), gradient))
        step = ops.add(gradient, ops.multiply(m, self.momentum)) if self.nesterov else m
        matrix = ops.reshape(step, (-1, variable.shape[-1]))
        update = self.lr_adjust(ops.multiply(self.zeropower_via_newtonschulz5(matrix, self.ns_steps), lr))
        self.assign_sub(variable, ops.reshape(update, variable.shape))
