"""Months: invoices against traces, conditions, the frozen digest and what came later."""
