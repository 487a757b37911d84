"""What to do when the hub of Hugging Face does not hand out a model or a data set."""

from collections.abc import Iterator


def hub_remedy(error: BaseException, page: str) -> str:
    """Return what helps against an error about ``page``, which is ``OWNER/NAME``, or ``datasets/OWNER/NAME``.

    A repository that is private looks like one that does not exist to who may not see it.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    errors = list(_chain(error))
    key = "set HF_TOKEN to an access token of yours"
    if any(isinstance(one, GatedRepoError) for one in errors):
        return f"it is gated: ask for access at https://huggingface.co/{page}, and {key}"
    if any(isinstance(one, RepositoryNotFoundError) for one in errors):
        return f"check the spelling; if it is private, {key}"
    return "check the spelling, the connection, and that HF_HUB_OFFLINE is not set, or give a local directory"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
