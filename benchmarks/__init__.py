"""Ratios that the project promises, measured against floors and peers."""
