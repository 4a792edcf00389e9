"""GoldSignal: gold (XAU/USD) candles into trade signals that can be proved."""

__version__ = "0.1.0"
