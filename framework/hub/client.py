"""The client of the hub, huggingface_hub, with its failures as messages for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from framework.errors import FrameworkError, UsageError, need

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def client(what: str, endpoint: str | None) -> HfApi:
    """The client. It finds the user's token as the hub's own tools do: from `hf auth login`, or HF_TOKEN.

    Args:
        what: what needs it, for the message: "the command push".
        endpoint: the address of a hub; None for that of the variable HF_ENDPOINT, or the public one.

    Raises:
        UsageError: if the library is not installed.
    """
    need("huggingface_hub", what, "hub")
    from huggingface_hub import HfApi

    from framework import __version__

    return HfApi(endpoint=endpoint, library_name="pluggable-q", library_version=__version__)


@contextmanager
def answering(repository: str) -> Iterator[None]:
    """Turn what the client raises into one message.

    Raises:
        UsageError: if the name is none, there is no such repository or revision, or a token is needed.
        FrameworkError: if the hub cannot be reached or refuses for another reason.
    """
    from huggingface_hub import errors

    try:
        yield
    except (errors.HFValidationError, errors.HfUriError) as error:
        raise UsageError(f"'{repository}' is no name of a repository: {_line(error)}") from error
    except errors.LocalTokenNotFoundError as error:
        raise UsageError("the hub needs to know who you are: run `hf auth login`, or set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(f"the repository '{repository}' has no such revision: {_line(error)}") from error
    except errors.LocalEntryNotFoundError as error:  # the client looks for a copy of what it cannot fetch
        raise FrameworkError(f"the hub cannot be reached: {_line(error)}. Nothing is lost: try again") from error
    except errors.EntryNotFoundError as error:
        raise UsageError(f"the repository '{repository}' lacks a file of the run: {_line(error)}") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status == 401:
            raise UsageError(
                f"the hub refuses '{repository}' to this user, or there is no such repository: run `hf auth login`, or "
                "set HF_TOKEN, and compare the name"
            ) from error
        if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
            raise UsageError(f"the hub has no repository '{repository}', or not for this user") from error
        if status == 403:
            raise UsageError(f"this user's token may not do that with '{repository}': {_line(error)}") from error
        raise FrameworkError(f"the hub refuses: {_line(error)}") from error
    except Exception as error:
        if not _of_the_network(error):
            raise
        raise FrameworkError(f"the hub cannot be reached: {_line(error)}. Nothing is lost: try again") from error


def _of_the_network(error: Exception) -> bool:
    """Whether the connection failed. The client's transport has had several names, and errors of its own."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return any(kind.__name__ in {"TransportError", "RequestException"} for kind in type(error).__mro__)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
