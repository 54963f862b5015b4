"""Experiments: what a change that was made has saved, by a holdout, and what is only observed without one."""
