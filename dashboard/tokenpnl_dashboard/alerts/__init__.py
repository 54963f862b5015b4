"""Alerts: what is worth telling, to whom, and what was told."""
