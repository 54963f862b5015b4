"""Reasoning or glue: what each step is, by what evidence, and how the dollars divide."""
