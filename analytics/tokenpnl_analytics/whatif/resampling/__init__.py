"""Paired cluster bootstrap: the same resamples for every arm, intervals of differences, halves of clusters."""
