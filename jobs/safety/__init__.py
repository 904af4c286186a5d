"""What guards an act that cannot be undone: the rules, without I/O. The ledger applies them."""
