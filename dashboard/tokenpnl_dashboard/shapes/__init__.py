"""Rows of analytics in the shape that figures and tables need."""
