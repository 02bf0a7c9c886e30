"""What may end the process is tried in another one first: a library's import, an artifact in a runtime.

A wheel that was built for a larger processor ends in an illegal instruction, and a kernel that does not suit the board
in a crash; neither can be caught where it happens. `child` is the process that may die, `process` starts it and tells
what it died of, `verdicts` remembers what came of it, `choosing` takes the first artifact that lives.
"""
