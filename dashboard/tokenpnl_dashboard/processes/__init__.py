"""Collector and pages, a process each, kept alive."""
