"""Speaks with cedarpy, and in Cerbos' protobuf, for a benchmark that has neither: JSON lines in, JSON lines out.

`cedar` decides in this process: the first line is `{"policies": text, "entities": […], "requests": […]}` and is
answered with `{"answers": […]}`; each further line `{"start": n, "count": n}` decides that many requests and is
answered with `{"seconds": s, "cpu_seconds": s}`.
`cerbos` only translates, so that one load generator sends to every server: `{"encode": [CheckResourcesRequest as
JSON, …]}` is answered with `{"encoded": [base64, …]}`, and `{"decode": [base64, …]}` with `{"decoded":
[[allowed, …], …]}`.
"""

import argparse
import base64
import json
import sys
import time
from typing import Any


def cedar() -> None:
    """Decide."""
    import cedarpy  # each of the two runs without the other's packages

    first = json.loads(sys.stdin.readline())
    policies = cedarpy.PolicySet.from_str(first["policies"])
    entities = cedarpy.Entities.from_json_str(json.dumps(first["entities"]))
    requests = first["requests"]
    answers = []
    for request in requests:
        result = cedarpy.is_authorized(request, policies, entities)
        if result.diagnostics.errors:
            raise SystemExit(f"cedar: {result.diagnostics.errors}")
        answers.append(result.allowed)
    _say({"answers": answers})
    for line in sys.stdin:
        asked = json.loads(line)
        some = requests[asked["start"] : asked["start"] + asked["count"]]
        began, cpu = time.perf_counter(), time.process_time()
        for request in some:
            cedarpy.is_authorized(request, policies, entities)
        _say({"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu})


def cerbos() -> None:
    """Translate."""
    from cerbos.effect.v1.effect_pb2 import EFFECT_ALLOW
    from cerbos.request.v1.request_pb2 import CheckResourcesRequest
    from cerbos.response.v1.response_pb2 import CheckResourcesResponse
    from google.protobuf.json_format import ParseDict

    for line in sys.stdin:
        asked = json.loads(line)
        if "encode" in asked:
            raw = [ParseDict(one, CheckResourcesRequest()).SerializeToString() for one in asked["encode"]]
            _say({"encoded": [base64.b64encode(one).decode() for one in raw]})
            continue
        decoded = []
        for one in asked["decode"]:
            answer = CheckResourcesResponse.FromString(base64.b64decode(one))
            decoded.append([e == EFFECT_ALLOW for r in answer.results for e in r.actions.values()])
        _say({"decoded": decoded})


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    peers = {"cedar": cedar, "cerbos": cerbos}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer", choices=peers)
    peers[parser.parse_args().peer]()
