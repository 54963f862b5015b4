"""Whether to try again: hazards by attempt, what stops a call, and what fewer attempts would lose."""
