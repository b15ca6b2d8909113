"""Python's collector of garbage, kept from long pauses.

A full collection looks at every object there is, and holds up every thread meanwhile: with all that is imported a third
of a second in a web process, and twice that beside a model.
"""

from __future__ import annotations

import gc

# Objects that come and go by the thousand with every request are worth a look less often than the default's 700.
OFTEN, OF_THOSE = 10_000, (10, 20)


def keep_what_is_here() -> None:
    """What is in memory now stays, and is looked at no more; for when all is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OFTEN, *OF_THOSE)
