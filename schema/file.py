"""Files: artwork and proofs of tickets, pictures of the catalogue."""

from datetime import datetime

import strawberry

from db import File as FileRow
from db.file import FilePurpose, FileState
from resolvers import file
from schema.actor import ActorKind
from schema.build import arg, asks, column, derived, enum, given, input_type, required, view
from schema.errors import Payload
from schema.node import Node, public_id
from schema.scalars import BigInt

enum(
    FilePurpose,
    "What a file is for, which decides who may upload it and of which types it may be.",
    TICKET_FILE="Artwork, or what else is shown on a ticket: a picture, PDF, SVG, PostScript, Photoshop, TIFF, HEIF.",
    PROOF="How the work is going to look: a picture or PDF. Staff with `tickets:write` upload it.",
    PRODUCT_MEDIA="A picture of a product. Staff with `products:write` upload it.",
    CATEGORY_PICTURE="The picture of a category. Staff with `categories:write` upload it.",
    COLLECTION_PICTURE="The picture of a collection. Staff with `collections:write` upload it.",
)
enum(
    FileState,
    "What has become of a file.",
    PENDING="Its bytes are expected.",
    READY="It is there.",
    REJECTED="It was not taken, for good.",
    REMOVED="It is there no longer.",
)
EXPIRES = arg(int, "For how many seconds the address is good, 1 to 3,600.", 300)


@view(FileRow)
class File(Node):
    """A file that somebody uploaded."""

    id: strawberry.ID = public_id("File")
    purpose: FilePurpose = column("What it is for.")
    name: str = column("What its owner calls it.")
    size: BigInt = column("Bytes.")
    state: FileState = column("What has become of it.")
    content_type: str | None = column("What it is, found in its bytes; null until they were looked at.")
    width: int | None = column("Of a picture, in pixels, as it is shown.")
    height: int | None = column("Likewise.")
    created_by: ActorKind = derived(lambda row: row["created_by_kind"], "Which side uploaded it.")
    created_at: datetime = column("When it was announced.")
    url: str | None = asks(
        file.url,
        "An address for everybody who is given it, until it expires. Pictures may be shown, anything else is saved. "
        "Null unless it is there. Beginning with a slash, it is an address of this server.",
        expires_in=EXPIRES,
    )
    thumbnail: str | None = asks(
        file.thumbnail,
        "The address of a smaller copy of a picture (WebP): the smallest that is as wide, else the widest there is.",
        width=arg(int, "How wide it is going to be shown, in pixels."),
        expires_in=EXPIRES,
    )


@view()
class UploadHeader:
    """A header that is to be sent with the bytes, as it is."""

    name: str = strawberry.field(description="Its name.")
    value: str = strawberry.field(description="Its value.")


@view()
class Upload:
    """Where the bytes go: one request with them as its body."""

    method: str = strawberry.field(description="`PUT`.")
    url: str = strawberry.field(description="Beginning with a slash, it is an address of this server.")
    headers: list[UploadHeader] = strawberry.field(description="To be sent with it.")
    expires_at: datetime = strawberry.field(description="The bytes must have come by then.")


@input_type
class UploadPrepareInput:
    """What is going to be uploaded, and what for."""

    purpose: FilePurpose = required("What it is for.")
    subject_id: strawberry.ID | None = given(
        "The ticket, or for `PRODUCT_MEDIA` the product; pictures of categories and collections have none."
    )
    file_name: str = required("What it is called, for people: up to 200 characters, without folders.")
    size: BigInt = required("Bytes.")
    sha256: str = required("The SHA-256 of the bytes in hexadecimal. Other bytes are not taken.")
    access_token: str | None = given("The order's; by default that of the header `X-Access-Token`.")


@input_type
class UploadCompleteInput:
    """A file whose bytes were sent."""

    file_id: strawberry.ID = required("Which file.")
    access_token: str | None = given("The order's; by default that of the header `X-Access-Token`.")


@view()
class UploadPreparePayload(Payload):
    """The file as it was announced, and where its bytes go."""

    file: File | None = strawberry.field(description="The file.")
    upload: Upload | None = strawberry.field(description="Where its bytes go.")


@view()
class UploadCompletePayload(Payload):
    """The file, which is ready to become part of something."""

    file: File | None = strawberry.field(description="The file.")
