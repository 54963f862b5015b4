"""Agents under contract: what they did against what was agreed, and what ran past it."""
