"""How glibc's allocator keeps the memory of a training step for the next one.

A step takes and frees dozens of tensors of some megabytes. As glibc comes, each goes back to the system at once and
the next step's is filled with zeros anew, page by page: half the time of a small network on a CPU, by measurement.
"""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_MAX = -4
"""Parameters of mallopt(3), as glibc's malloc.h numbers them."""
SETTINGS = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**26}
"""Nothing is mapped on its own, nothing is given back below 2 GiB, and the heap grows by 64 MiB."""
OTHERS = ("LD_PRELOAD", "GLIBC_TUNABLES")
"""Where one of these is set, or a variable of malloc itself, somebody has chosen already."""


def keep_freed() -> bool:
    """Have freed memory kept for the next step; False where the C library is another, or its owner has set it up."""
    if platform.libc_ver()[0] != "glibc" or any(key in OTHERS or key.startswith("MALLOC_") for key in os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    taken = [mallopt(parameter, value) for parameter, value in SETTINGS.items()]
    return all(answer == 1 for answer in taken)
