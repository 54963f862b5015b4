"""Which model should get which task: routers, cascades, frontiers, and what they would have cost."""
