"""`python -m fer_edge` is the command `fer-edge`."""

import sys

from fer_edge.cli import main

sys.exit(main())
