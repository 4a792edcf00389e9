"""GoldSignal: gold (XAU/USD) candles into trade signals that can be proved."""

import warnings

__version__ = "0.1.0"

# Two parameters that the asset graph cannot do without; the versions are pinned and tests hold what they do.
warnings.filterwarnings(
    "ignore", message=r"Parameter `(backfill_policy|allow_nonexistent_upstream_partitions)` .* is currently in beta"
)
