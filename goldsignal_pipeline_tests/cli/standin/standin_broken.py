"""A code location whose import fails."""

raise RuntimeError("the stand-in is broken on purpose")
