"""Alerts: messages that are owed, what they say, the channels they go through, and the sender that loses none (I17)."""
