"""A single-use token that was issued is mailed to whom it is about.

The token is signed here and goes into the mail and nowhere else: neither the event nor the record of this step has it.
To whom it goes, and what it says, is read when it is sent: an address that was erased or replaced gets nothing.
"""

from typing import Any, Final

from sqlalchemy import text

from db.session import Purpose
from domain.durable import Step
from domain.mail import Mail, MailNotSent, Post
from domain.processes.shop import Shop
from domain.single_use import TokenIssued

PATHS: Final = {
    Purpose.CONFIRM_EMAIL: "/account/confirm",
    Purpose.RESET_PASSWORD: "/account/reset",
    Purpose.CONFIRM_OLD_EMAIL: "/account/email",
    Purpose.CONFIRM_NEW_EMAIL: "/account/email",
    Purpose.STAFF_INVITATION: "/invitation",
    Purpose.STAFF_RESET_PASSWORD: "/reset",
    Purpose.ORDER_ACCESS: "/orders/access",
}
"""Where a storefront or an admin takes the token from the query, `?token=…`, and sends it to the API."""
OF_STAFF: Final = {Purpose.STAFF_INVITATION, Purpose.STAFF_RESET_PASSWORD}
EMAIL_TAKEN: Final = "email_taken"


async def mail_token(shop: Shop, event: TokenIssued) -> None:
    """Mails it, unless it was used, replaced or became too old meanwhile, or is about nobody.

    Its template is its purpose, or why it was issued (`because` of its data).
    """
    found = await shop.read.records(_DUE, token_id=event.token_id)
    if not found or found[0].recipient is None:
        return
    if shop.post is None:
        raise MailNotSent("This process has no way to send mails.")
    await shop.post.mailer.send(_mail(shop.post, found[0]))


def _mail(post: Post, due: Any) -> Mail:
    purpose = Purpose(due.purpose)
    facts = {"new_email": due.new_email or "", "order_number": str(due.order_number or "")}
    if due.taken:
        # Nothing is offered for an address that has an account: its owner is told that somebody asked.
        return Mail(EMAIL_TAKEN, due.recipient, {**facts, "link": post.storefront}, due.id, due.locale)
    root = post.admin if purpose in OF_STAFF else post.storefront
    link = f"{root}{PATHS[purpose]}?token={post.signer.single_use_token(purpose, due.id)}"
    return Mail(due.data.get("because", purpose), due.recipient, {**facts, "link": link}, due.id, due.locale)


_DUE: Final = text(
    """
    SELECT token.id, token.purpose, token.data, change.new_email, "order".number AS order_number,
        coalesce(customer.locale, staff.locale, "order".locale, changing.locale) AS locale,
        CASE token.purpose
            WHEN 'confirm_old_email' THEN changing.email
            WHEN 'confirm_new_email' THEN change.new_email
            ELSE coalesce(customer.email, staff.email, "order".email)
        END AS recipient,
        token.purpose = 'confirm_new_email' AND EXISTS (
            SELECT FROM customer AS owner WHERE owner.email = change.new_email
        ) AS taken
    FROM single_use_token AS token
    LEFT JOIN customer ON token.purpose IN ('confirm_email', 'reset_password')
        AND customer.id = token.subject_id AND customer.erased_at IS NULL
    LEFT JOIN staff ON token.purpose IN ('staff_invitation', 'staff_reset_password')
        AND staff.id = token.subject_id AND staff.active
    LEFT JOIN "order" ON token.purpose = 'order_access' AND "order".id = token.subject_id
        AND "order".email NOT LIKE '%@erased.invalid'
    LEFT JOIN email_change AS change ON token.purpose IN ('confirm_old_email', 'confirm_new_email')
        AND change.id = token.subject_id
    LEFT JOIN customer AS changing ON changing.id = change.customer_id
    WHERE token.id = :token_id AND token.used_at IS NULL AND token.expires_at > clock_timestamp()
    """
)

STEPS = (Step(mail_token, tries=1),)
"""One try: the reaction is tried again later, and does not hold up others while a mail server is slow."""
