"""Cancels consignments in bulk.

In a checkout the rooms of this package are links to the folders beside it; wheels hold the folders themselves.
"""
