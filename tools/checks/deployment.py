"""The manifests in deploy/: they render, and Kubernetes' own schemas accept every document strictly."""

from pathlib import Path
from typing import Any

import yaml
from kubernetes_validate.utils import ValidationError, validate

from tools.checks.failure import CheckFailedError, run_tool, script

KUBERNETES = "1.37"


def kustomizations(root: Path) -> list[Path]:
    """Every folder that can be applied: bases and overlays of a service, not components."""
    return sorted(
        file.parent
        for pattern in ("deploy/*/base/kustomization.yaml", "deploy/*/overlays/*/kustomization.yaml")
        for file in root.glob(pattern)
    )


def render(root: Path, folder: Path) -> list[dict[str, Any]]:
    """The documents that `kubectl kustomize` makes of `folder`.

    Raises:
        CheckFailedError: it does not render.
    """
    text = run_tool([script("kubectl"), "kustomize", folder], root)
    return [document for document in yaml.safe_load_all(text) if document]


def faults(documents: list[dict[str, Any]]) -> list[str]:
    """What the schemas refuse, one line each."""
    found = []
    for document in documents:
        name = f"{document.get('kind')} `{document.get('metadata', {}).get('name')}`"
        try:
            validate(document, KUBERNETES, strict=True)
        except ValidationError as error:
            found.append(f"{name}: {error.message}")
    return found


def check_deployment(root: Path) -> str:
    """Renders and validates every base and overlay.

    Raises:
        CheckFailedError: one does not render or is refused.
    """
    count, found = 0, []
    folders = kustomizations(root)
    for folder in folders:
        documents = render(root, folder)
        count += len(documents)
        found += [f"{folder.relative_to(root)}: {fault}" for fault in faults(documents)]
    if found:
        raise CheckFailedError("\n".join(found))
    return f"{len(folders)} kustomizations, {count} documents accepted"
