"""What a route's settings and a request's path mean (facts: policy §6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.policy.rpc.ext_authz_route import BadPathError, BadRouteError, path_segments, route_of

GOOD = {"account": "acc-1", "object_type": "product", "path": "/api/products /api/products/{id}"}


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", ()),
        ("/a/b", ("a", "b")),
        ("/a/b/", ("a", "b")),
        ("//a///b", ("a", "b")),
        ("/a/./b", ("a", "b")),
        ("/a/../b", ("b",)),
        ("/a/%2e%2E/b", ("b",)),
        ("/a%20b/%C3%A9", ("a b", "\u00e9")),
        ("/a/b?c=/../d", ("a", "b")),
        ("/a/b#/../d", ("a", "b")),
        ("/a/b;v=1", ("a", "b;v=1")),
        ("/A", ("A",)),
    ],
)
def test_paths_are_normalised(path: str, segments: tuple[str, ...]) -> None:
    assert path_segments(path) == segments


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "a/b",
        "http://host/a",
        "/..",
        "/a/../../b",
        "/a%2Fb",
        "/a%2fb",
        "/a\\b",
        "/a%5Cb",
        "/a%252e%252e",
        "/a%2",
        "/a%zz",
        "/a%",
        "/%ff",
        "/%c0%ae%c0%ae/b",
        "/a%00",
        "/a%0d%0a",
        "/a/..;/b",
        "/a/.;x/b",
        "/a/;/b",
        "/a/%2e%2e;x=1/b",
    ],
)
def test_ambiguous_paths_are_refused(path: str) -> None:
    with pytest.raises(BadPathError):
        path_segments(path)


@given(st.lists(st.sampled_from(["a", "..", ".", "", "%2e%2e", "%41", "b;c"]), max_size=8).map("/".join))
def test_what_is_normalised_holds_nothing_to_normalise(path: str) -> None:
    try:
        segments = path_segments("/" + path)
    except BadPathError:
        return
    assert not {"", ".", ".."} & set(segments)
    assert path_segments("/" + "/".join(segments)) == segments


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("/api/products", ""),
        ("/api/products/", ""),
        ("/api/products/p1", "p1"),
        ("/api//products/x/../p%31?q=1", "p1"),
        ("/api/products/p1/parts", None),
        ("/api/Products/p1", None),
        ("/api/tickets/p1", None),
        ("/", None),
    ],
)
def test_templates(path: str, record: str | None) -> None:
    assert route_of(GOOD).record(path) == record


def test_other_variables_are_any_segment() -> None:
    route = route_of(GOOD | {"path": "/v1/{account}/products/{id}/{part}"})

    assert route.record("/v1/x/products/p1/y") == "p1"
    assert route.record("/v1/x/products/p1") is None
    assert route_of(GOOD | {"path": "/"}).record("/") == ""


def test_actions_are_overridden_one_by_one() -> None:
    route = route_of(GOOD | {"actions": "POST=update, OPTIONS=read,DELETE=-"})

    assert route.actions["POST"] == "update"
    assert route.actions["OPTIONS"] == "read"
    assert route.actions["DELETE"] == "-"
    assert route.actions["GET"] == "read"
    assert "TRACE" not in route.actions


@pytest.mark.parametrize(
    "change",
    [
        {"account": ""},
        {"account": "accounts/acc-1"},
        {"object_type": "No Key"},
        {"object_type": ""},
        {"path": ""},
        {"path": "api/{id}"},
        {"path": "/api/{id}/{id}"},
        {"path": "/api//{id}"},
        {"path": "/api/{id}.json"},
        {"path": "/api/*"},
        {"path": "/api/%41"},
        {"actions": "POST"},
        {"actions": "POST=approve"},
        {"actions": "post=read"},
        {"token_header": ""},
        {"token_header": "a b"},
        {"forward_token": "yes"},
        {"acount": "acc-1"},
    ],
)
def test_settings_that_cannot_be_used_name_the_fault(change: dict[str, str]) -> None:
    with pytest.raises(BadRouteError) as caught:
        route_of(GOOD | change)

    assert f"`{next(iter(change))}`" in str(caught.value)


@pytest.mark.parametrize("missing", GOOD)
def test_missing_settings_are_refused(missing: str) -> None:
    with pytest.raises(BadRouteError):
        route_of({name: value for name, value in GOOD.items() if name != missing})
