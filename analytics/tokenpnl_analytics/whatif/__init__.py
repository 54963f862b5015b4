"""What a change would save, how sure that is, and what to log to be surer."""
