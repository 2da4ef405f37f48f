"""Paths of the site."""

from aiohttp import web

__all__ = ["add_site"]


def add_site(app: web.Application) -> None:
    """Add the pages to the application."""
