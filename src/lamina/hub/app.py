"""The web application: routes to what answers them."""

from aiohttp import web

from lamina.hub.api.answers import answered, for_login, nowhere
from lamina.hub.api.caches import add_caches
from lamina.hub.api.damage import add_damage
from lamina.hub.api.exploring import add_exploring
from lamina.hub.api.mirrors import add_mirrors
from lamina.hub.api.openapi import openapi
from lamina.hub.api.operating import metrics, metrics_by_token, ready
from lamina.hub.api.organisations import add_organisations
from lamina.hub.api.quotas import add_quotas
from lamina.hub.api.repositories import add_repositories
from lamina.hub.api.retention import add_retention
from lamina.hub.api.robots import add_robots
from lamina.hub.api.roles import add_roles
from lamina.hub.api.routes import health, register
from lamina.hub.api.search import search
from lamina.hub.api.tokens import create_token, list_tokens, revoke_token
from lamina.hub.api.webhooks import add_webhooks
from lamina.hub.audit import keep_notes
from lamina.hub.chores import run_chores
from lamina.hub.services import Services
from lamina.hub.site.routes import add_site
from lamina.hub.v2.routes import dispatch
from lamina.hub.v2.token import get_token, list_keys, post_token
from lamina.hub.watch import name_response, watch
from lamina.hub.web import SERVICES

__all__ = ["create_app", "create_metrics_app"]


def create_app(services: Services) -> web.Application:
    """Give the application over open services; who opened them closes them after it."""
    app = web.Application(middlewares=[watch, keep_notes])
    app.on_response_prepare.append(name_response)
    app[SERVICES] = services
    app.router.add_route("*", "/v2", dispatch)
    app.router.add_route("*", r"/v2/{rest:[\s\S]*}", dispatch)  # line breaks too
    app.router.add_get("/token", get_token)
    app.router.add_post("/token", post_token)
    app.router.add_get("/.well-known/jwks.json", list_keys)
    app.router.add_get("/healthz", health)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics_by_token)
    app.router.add_get("/api/openapi.json", openapi)
    app.router.add_post("/api/v1/register", register)
    app.router.add_get("/api/v1/tokens", for_login(list_tokens))
    app.router.add_post("/api/v1/tokens", for_login(create_token))
    app.router.add_delete("/api/v1/tokens/{id}", for_login(revoke_token))
    add_organisations(app)
    add_repositories(app)
    add_exploring(app)
    add_roles(app)
    add_robots(app)
    add_retention(app)
    add_quotas(app)
    add_damage(app)
    app.router.add_get("/v1/search", answered(search))
    add_webhooks(app)
    add_caches(app)
    add_mirrors(app)
    app.router.add_route("*", r"/api/{rest:[\s\S]*}", answered(nowhere))  # after all of its routes
    add_site(app)
    app.cleanup_ctx.append(run_chores)
    return app


def create_metrics_app(services: Services) -> web.Application:
    """Give what an address of its own answers: metrics to anyone who can reach it, and the probes."""
    app = web.Application()
    app[SERVICES] = services
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", health)
    app.router.add_get("/readyz", ready)
    return app
