"""Comparing our ledger with what the other side says, and feeding what we missed through the normal way in."""
