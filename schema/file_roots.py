"""The root fields that are about files. `Mutation` begins with them."""

from resolvers import file
from resolvers.context import PUBLIC
from schema import file as types
from schema.build import mutation, view


@view()
class FileMutation:
    """Writes."""

    upload_prepare: types.UploadPreparePayload = mutation(
        types.UploadPrepareInput,
        file.prepare,
        PUBLIC,
        "Announces a file and tells where its bytes go: for one's own ticket, with the order's access token, or with "
        "`tickets:write` for any; proofs with `tickets:write`, pictures of products with `products:write`, of "
        "categories with `categories:write`, of collections with `collections:write`.",
    )
    upload_complete: types.UploadCompletePayload = mutation(
        types.UploadCompleteInput,
        file.complete,
        PUBLIC,
        "Looks at the bytes that were sent and takes the file, or says why not. May be repeated.",
    )
