"""Snapshots: records of consignments, kept encrypted on this machine before they are cancelled."""
