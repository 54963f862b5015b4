"""Months of a home: reconciled, closed, frozen on disk, charged from."""
