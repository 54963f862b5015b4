"""Which price was in force, and what it makes of a usage."""
