"""The cache laboratory: what a cache would have done on requests that were recorded."""
