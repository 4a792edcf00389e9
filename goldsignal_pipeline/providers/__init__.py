"""Sources of candles behind one protocol; `base` holds it with its errors."""
