"""What uploads are refused with."""

from domain import file
from domain.content import RejectionReason
from schema.build import column, enum, view
from schema.errors import UserError

enum(
    RejectionReason,
    "Why a file is not taken. What it is was found in its bytes, whatever it is called.",
    TYPE_NOT_ALLOWED="It is of a type that its purpose does not take.",
    BROKEN="It cannot be decoded.",
    TOO_MANY_PIXELS="It has more than 50 million pixels.",
    ACTIVE_CONTENT="There is a page or a program in the picture.",
)


@view(file.FileRejected)
class FileRejected(UserError):
    """The file is not taken, for good; another one may be uploaded."""

    reason: RejectionReason = column("Why.")


@view(file.TooManyFiles)
class TooManyFiles(UserError):
    """The ticket or product has as many files, or bytes of files, as one may have."""


@view(file.UploadIncomplete)
class UploadIncomplete(UserError):
    """The bytes are not there, or are others than were announced; they may be sent again."""


FILE_ERRORS: tuple[type, ...] = (FileRejected, TooManyFiles, UploadIncomplete)
