"""What there is to set, by area: the menu above every page of settings. Pure.

A new page of settings adds its line here, and its template extends `area.html`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.hub.names import HUB, is_repository

if TYPE_CHECKING:
    from lamina.hub.site.sessions import Visit

__all__ = ["AREAS", "Item", "area_of", "items"]


@dataclass(frozen=True, slots=True)
class Item:
    """One page of an area. In `path` stands `{}` for what the area is of: a repository, a namespace."""

    label: str
    path: str


AREAS: dict[str, tuple[Item, ...]] = {
    # one's own account
    "account": (
        Item("Profile", "/settings/profile"),
        Item("Password", "/settings/password"),
        Item("Sessions", "/settings/sessions"),
        Item("Audit log", "/settings/audit"),
        Item("Sign-ins", "/settings/identities"),
        Item("Access tokens", "/settings/tokens"),
        Item("Robots", "/settings/robots"),
        Item("Organisations", "/settings/organisations"),
        Item("Retention", "/settings/retention"),
        Item("Storage", "/settings/storage"),
        Item("Webhooks", "/settings/webhooks"),
        Item("Delete account", "/settings/delete"),
    ),
    # one repository; for those who may change it
    "repository": (
        Item("General", "/{}/-/settings"),
        Item("Description", "/{}/-/edit"),
        Item("Members", "/{}/-/members"),
        Item("Retention", "/{}/-/retention"),
        Item("Storage", "/{}/-/quota"),
        Item("Webhooks", "/{}/-/webhooks"),
        Item("Audit log", "/{}/-/audit"),
    ),
    # an organisation; for its owners
    "namespace": (
        Item("General", "/{}/-/settings"),
        Item("Members", "/{}/-/members"),
        Item("Teams", "/{}/-/teams"),
        Item("Robots", "/{}/-/robots"),
        Item("Retention", "/{}/-/retention"),
        Item("Storage", "/{}/-/quota"),
        Item("Webhooks", "/{}/-/webhooks"),
        Item("Audit log", "/{}/-/audit"),
    ),
    # an organisation; for its members
    "membership": (
        Item("Members", "/{}/-/members"),
        Item("Teams", "/{}/-/teams"),
    ),
    # the whole hub; for admins
    "hub": (
        Item("The hub", "/admin"),
        Item("Accounts", "/admin/accounts"),
        Item("Organisations", "/admin/organisations"),
        Item("Audit log", "/admin/audit"),
        Item("Other registries", "/admin/mirrors"),
        Item("Retention", "/hub/-/retention"),
        Item("Storage", "/hub/-/quota"),
    ),
}  # fmt: skip


def items(area: str, of: str = "") -> tuple[Item, ...]:
    """Give the pages of an area in the menu's order, with their paths filled in."""
    return tuple(Item(each.label, each.path.replace("{}", of)) for each in AREAS[area])


def area_of(visit: "Visit", target: str) -> dict[str, str]:
    """Give `area` and `of` for the page of a repository, a namespace or the whole hub."""
    if target == HUB:
        return {"area": "hub"}
    if visit.account is not None and visit.account.name == target:
        return {"area": "account"}
    return {"area": "repository" if is_repository(target) else "namespace", "of": target}
