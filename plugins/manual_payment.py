"""The `manual` provider: the customer pays outside of the shop (invoice, transfer, cash on delivery).

It promises the amount at once and moves no money; staff book what arrives. It has no ledger of its own, so
what became of an attempt is known by our record alone and cancelling always succeeds.
"""

from domain.payment import Absent, Authorised, Charge


class ManualPayment:
    name = "manual"

    async def authorise(self, charge: Charge) -> Authorised:
        return Authorised(reference=str(charge.attempt_id), amount=charge.amount, currency=charge.currency)

    async def cancel(self, charge: Charge) -> Absent:
        del charge
        return Absent()
