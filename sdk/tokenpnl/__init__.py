"""The token P&L of LLM products: instrument a workflow, report its outcome, see what a success costs."""
