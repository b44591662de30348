"""The report as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from services.assignment.domain.played import Played
from tools.replay.figures import Table
from tools.replay.plots import Series, line_plot

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.5em 0;font-variant-numeric:tabular-nums}
th,td{padding:.25em .7em;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}
figure{margin:1.5em 0}figcaption{font-weight:600}svg{width:100%;max-width:760px}
svg text{font:11px system-ui,sans-serif;fill:#444}.grid{stroke:#e3e3e3}
.legend span{margin-right:1.2em}.legend i{display:inline-block;width:1em;height:.3em;margin-right:.4em}
.note{color:#555}div{overflow-x:auto}
"""


def page(title: str, intro: Sequence[str], played: Sequence[Played], tables: Sequence[Table]) -> str:
    """Return the page: sentences, plots, tables."""
    parts = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(sentence)}</p>" for sentence in intro)]
    parts += [_waits(played), _backlogs(played), _loads(played)]
    parts += [_table(table) for table in tables]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _waits(played: Sequence[Played]) -> str:
    """Waits of what an agent got: those whom nobody may take would hide all others."""
    series = []
    for one in played:
        waits = sorted(
            (one.given[a.ticket.id].at - a.at).total_seconds() / 3600
            for a in one.history.arrivals
            if a.ticket.id in one.given
        )
        last = len(waits) - 1
        points = [(share, waits[last * share // 100]) for share in range(101)] if waits else []
        series.append(Series(one.title, points))
    return line_plot("Waits of the tickets that an agent got", series, "% that waited no longer", "hours")


def _backlogs(played: Sequence[Played]) -> str:
    series = [
        Series(p.title, [((at - p.history.start).total_seconds() / 86_400, n) for at, n in p.backlogs])
        for p in played
    ]
    return line_plot("Tickets that waited", series, "days since the first", "tickets")


def _loads(played: Sequence[Played]) -> str:
    series = [
        Series(p.title, list(enumerate(sorted((x.tickets for x in p.loads.values()), reverse=True), 1)))
        for p in played
    ]
    return line_plot("Load per agent", series, "agents, the busiest first", "tickets")


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in table.columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f"<h2>{escape(table.title)}</h2><div><table><tr>{head}</tr>{body}</table></div>{note}"
