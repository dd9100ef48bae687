"""When an order is completed: written by one trigger, whichever of its statuses was the last one to change."""

from typing import Final

from sqlalchemy import DDL, event

from db.base import Base

# A line that wants a ticket has one as soon as work on the order has begun: see domain/ticket_opening.py.
COMPLETE: Final = """
CREATE FUNCTION complete_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.work_status = 'done' OR NOT EXISTS (
        SELECT FROM order_line WHERE order_id = NEW.id AND workflow_id IS NOT NULL AND cancelled < quantity
    ) THEN
        NEW.status := 'completed';
    END IF;
    RETURN NEW;
END $$;
"""
COMPLETED: Final = """
CREATE TRIGGER order_completed BEFORE UPDATE ON "order" FOR EACH ROW
WHEN (NEW.status = 'placed' AND NEW.amount_due = 0 AND NEW.payment_status <> 'disputed'
    AND NEW.fulfillment_status IN ('fulfilled', 'delivered') AND NEW.work_status IN ('none', 'done'))
EXECUTE FUNCTION complete_order();
"""
for statement in (COMPLETE, COMPLETED):
    event.listen(Base.metadata, "after_create", DDL(statement.replace("%", "%%")))
