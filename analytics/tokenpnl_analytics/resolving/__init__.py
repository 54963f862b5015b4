"""From spans to who carries the bill: attempts, calls, runs."""
