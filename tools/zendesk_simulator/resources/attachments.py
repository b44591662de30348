"""The rows of files on comments (facts: Zendesk §3.1; reference Attachments)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.state import Account, Row


def shown(account: Account, row: Row) -> Row:
    """Return an attachment as the API shows it."""
    return {
        "url": account.url(f"attachments/{row['id']}"),
        "id": row["id"],
        "file_name": row["file_name"],
        "content_url": f"{account.base}/attachments/token/{row['token']}/?name={row['file_name']}",
        "mapped_content_url": f"{account.base}/attachments/token/{row['token']}/?name={row['file_name']}",
        "content_type": row["content_type"],
        "size": row["size"],
        "width": None,
        "height": None,
        "inline": False,
        "deleted": row["deleted"],
        "malware_access_override": False,
        "malware_scan_result": "malware_not_found",
        "thumbnails": [],
    }


def taken(account: Account, tokens: Any) -> list[Row]:
    """Return the attachments of upload tokens for a comment; a token serves once."""
    found: list[Row] = []
    for token in tokens if isinstance(tokens, list) else [tokens]:
        held = account.tables["uploads"].pop(str(token), {"ids": []})
        found += [shown(account, account.tables["attachments"][i]) for i in held["ids"]]
    return found
