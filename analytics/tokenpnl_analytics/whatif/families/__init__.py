"""The families of change: each replays recorded attempts under one change."""
