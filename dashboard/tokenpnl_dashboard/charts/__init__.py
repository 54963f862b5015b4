"""Frames to figures: one module a subject, one palette for light and dark."""
