"""A payment provider for tests and demonstrations: a process of its own, with a ledger of its own, and its adapter.

No money moves anywhere. Tokens say how it behaves; docs/payments.md lists them.
"""
