"""Selection: which setups become signals, how large, and when a strategy is no longer trusted; pure folds without a clock."""
