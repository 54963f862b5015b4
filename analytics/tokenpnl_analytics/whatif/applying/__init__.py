"""From scenarios to what a person applies: a neutral policy, a LiteLLM router, and the difference."""
