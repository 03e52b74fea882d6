"""Headers of every answer: nothing from elsewhere is loaded, framed or kept."""

from __future__ import annotations

from xinglin.console.settings import ConsoleSettings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No inline script or style, no evaluation, no other host."""

_SAME = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def page_headers(settings: ConsoleSettings) -> dict[str, str]:
    """Headers of a page: never stored, by nobody."""
    told = {**_SAME, "cache-control": "no-store"}
    if settings.https:
        told["strict-transport-security"] = "max-age=31536000"
    return told


def asset_headers() -> dict[str, str]:
    """Headers of an asset: its address changes with its content, so it may be kept."""
    return {**_SAME, "cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
