"""The books in the form of other systems: FOCUS, general ledger, owners."""
