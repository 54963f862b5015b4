"""The YAML files that finance edits, one module each: a frozen pydantic model and its `RuleFile`."""
