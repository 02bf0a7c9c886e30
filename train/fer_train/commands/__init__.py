"""The verbs of `fer-train`, one file each: `add` declares its arguments, the function beside it does the work.

Nothing here imports Keras or OpenCV at the top: `--help` and a wrong argument answer at once.
"""
