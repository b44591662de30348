"""Renders pages with the headers that keep them from leaking or being framed by strangers."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
)


def embedded_json(value: object) -> Markup:
    """Return JSON that is safe inside a script element."""
    text = json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)  # noqa: S704 - every character that could end the element is escaped above


def page(
    template: str, *, status: int = 200, frame_ancestors: str = "'none'", **values: object
) -> HTMLResponse:
    """Render a template.

    Args:
        template: file name in this folder.
        status: HTTP status.
        frame_ancestors: who may frame the page, as in CSP.
        values: the template's values.
    """
    headers = {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        f"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {frame_ancestors}",
    }
    return HTMLResponse(_templates.get_template(template).render(**values), status, headers=headers)
