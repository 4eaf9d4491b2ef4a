"""The forges that Hookline knows, by the name that hook URLs and the configuration use."""

from __future__ import annotations

from webhooks.forges.base import Forge
from webhooks.forges.git import Git
from webhooks.forges.gitea import Gitea
from webhooks.forges.github import GitHub


def all_forges() -> dict[str, Forge]:
    """Return every forge under its name."""
    forges: tuple[Forge, ...] = (GitHub(), Gitea("gitea"), Gitea("forgejo"), Git())
    return {forge.name: forge for forge in forges}
