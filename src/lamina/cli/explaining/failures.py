"""What a failure means and what to do, for people who meet it the first time."""

from __future__ import annotations

from lamina.cli.errors import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page

__all__ = ["MEANINGS", "meaning_of", "tell_failure"]

MEANINGS = {
    "LoginRequired": (
        "The registry answered 401: this may not be done by somebody whom it does not know. Some registries "
        "answer so for a repository that does not exist, too, so as not to say which ones do. "
        "Log in with `lamina login REGISTRY`, and see that the name is spelled right."
    ),
    "LoginRefused": (
        "There is a login for this registry, and the token service did not take it: a wrong "
        "password, or an access token that was revoked or ran out. `lamina login REGISTRY` again."
    ),
    "AccessDenied": (
        "The registry knows who you are (that would be 401) and says that this account may not do "
        "this (403). Ask the owner of the repository, or push to a name of your own."
    ),
    "ManifestUnknown": (
        "The registry has the repository, and no such tag or digest in it (404). "
        "`lamina tags REPOSITORY` lists what there is; a tag that was there may have been removed."
    ),
    "RepositoryUnknown": (
        "The registry has no repository of that name (404), or does not say so to strangers. A name "
        "without a registry means docker.io, and one without a slash library/ there."
    ),
    "BlobUnknown": (
        "The manifest names a blob that the registry has not. Its storage lost it, or somebody pushed "
        "carelessly; nothing can be done from here. Push the image again, if it is yours."
    ),
    "DigestMismatch": (
        "The bytes that came have another digest than the manifest promised. Something changed "
        "them on the way or at the registry: a broken disk, a proxy, or somebody with intent. Nothing of it "
        "was kept. Try again; if it stays, tell the registry's owner."
    ),
    "SizeMismatch": (
        "More or fewer bytes came than the manifest promised, so they cannot be the ones that were "
        "meant. Nothing of it was kept. Try again; if it stays, tell the registry's owner."
    ),
    "PlatformUnavailable": (
        "The name stands for an index, and none of its manifests is for this platform. With "
        "--platform another one is chosen; programs of another architecture do not run here by themselves."
    ),
    "CertificateRefused": (
        "The registry's certificate is not signed by anybody whom this machine trusts, or is "
        "for another name. Until that is settled nothing is sent, least of all a password."
    ),
    "RegistryUnreachable": (
        "Nobody answered at that address: the registry is down, the name is wrong, or a firewall or "
        "a missing proxy stands between. Nothing was sent."
    ),
    "ConnectionBroken": (
        "The connection broke, and more tries did not help. What arrived is kept: the next try "
        "goes on from there."
    ),
    "TooManyRequests": (
        "The registry limits how often it is asked (429). Wait, or log in: "
        "known accounts often may ask more."
    ),
    "RegistryFailed": "The registry has a problem of its own (5xx). Try again later.",
    "RequestRefused": (
        "The registry understood the request and finds something wrong with what was sent (400)."
    ),
    "ImageUnknown": (
        "No image here has that name or ID. `lamina images` lists those that are here; a name "
        "belongs to one tag, and `latest` is meant where none is given."
    ),
    "NotTagged": (
        "What is pushed is found by its whole name, registry and all. `lamina tag IMAGE NAME` gives an image "
        "that name; it costs nothing, for a name is only a row in index.json."
    ),
    "ContainerUnknown": "No container here has that name or ID. `lamina ps -a` lists all, stopped ones too.",
    "NameTaken": (
        "Each container has a name of its own, also when it does not run any more. Choose another, or "
        "remove the old one with `lamina rm NAME`."
    ),
    "CommandMissing": "Neither the image's config nor the command line says what to run.",
    "StartFailed": (
        "The container was made, and its first process could not become that program: 127 means that there "
        "is none of that name inside, 126 that it may not be executed, 125 that it failed before. "
        "`lamina ls IMAGE PATH` shows what is there."
    ),
    "CommitRefused": (
        "With --strict nothing is committed that people often regret, such as keys. The container is as it "
        "was: remove what is named and commit again."
    ),
    "Invalid": "What was asked for makes no sense as it stands: it has to be asked for differently.",
    "NotFound": "What was named does not exist.",
    "AlreadyExists": "The name is taken.",
    "InUse": "Something else still needs it, so it was left as it is.",
    "Unauthorized": "It has to be known who asks: log in first.",
    "Denied": "Who asks is known, and may not do this.",
    "Unavailable": "Something that is needed failed: the network, the disk or the kernel. Another try may help.",
    "Corrupt": "Bytes are not what their digest or their format says, so they were not used.",
    "Unsupported": "This is understood, and cannot be done here.",
}
"""By the name of an error's class, or of a class that it descends from; the nine kinds come last."""


def meaning_of(error: BaseException) -> str:
    """Say what an error means; empty where nothing is known beyond its own words."""
    return next(
        (MEANINGS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in MEANINGS), ""
    )


def tell_failure(error: BaseException, page: Page, context: Context) -> int:
    """Say the error in the command's own words, then what it means; give the command's exit code."""
    context.out.flush()
    meaning = meaning_of(error)
    if meaning:
        page.trouble("It did not work")
    code = report(error, context.err)
    if meaning:
        page.fact(meaning)
    return code
