"""Tests of the candle file readers."""
