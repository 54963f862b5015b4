"""Budgets, forecasts, why the cost moved, and which hours are odd."""
