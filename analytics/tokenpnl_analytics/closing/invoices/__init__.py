"""Invoices and usage reports of providers: bytes in, one normal form out. `registry.read_invoice` is the door."""
