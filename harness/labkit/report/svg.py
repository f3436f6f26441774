"""Ladders as markup. Whatever a trace or a log says goes through text(), and is text then.

Written by hand and not from a template: there are so many rows on a page that a template
would take most of the time that the page takes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from labkit.report.ladder import Drawn, Label, Ladder
from labkit.report.markup import printable


_MARKUP = re.compile("[&<>\"']")


def text(words: str) -> str:
    """WORDS as they are to be read, inside of an element or of a quoted attribute."""
    if words.isprintable() and _MARKUP.search(words) is None:
        return words  # as most are, and this is much faster
    return html.escape(printable(words))


def markup_of(ladders: Sequence[Ladder], left_out: str) -> str:
    """The LADDERS of a test, and in words what is LEFT OUT."""
    lines = [line for ladder in ladders for line in _ladder(ladder)]
    if left_out:
        lines.append(f'<p class="left-out">{text(left_out)}</p>')
    return "\n".join(lines)


def _ladder(ladder: Ladder) -> Iterator[str]:
    about = f"{text(ladder.title)}: {text(ladder.about)}"
    size = f"{ladder.width} {ladder.height}"
    yield f'<details class="flow"{" open" if ladder.opened else ""}>'
    yield f"<summary><b>{text(ladder.title)}</b> {text(ladder.about)}</summary>"
    yield (f'<div class="scroll"><svg class="ladder" width="{ladder.width}" '
           f'height="{ladder.height}" viewBox="0 0 {size}">')
    yield (f'<g aria-hidden="true"><path class="lane" d="M{ladder.client} 38V{ladder.height}'
           f'M{ladder.server} 38V{ladder.height}"/>')
    yield _labels(ladder.heads)
    for bar in ladder.bars:
        yield (f'<rect class="bar" x="{bar.x}" y="{bar.y}" width="7" height="{bar.height}" '
               'rx="2"/>')
    yield "</g>"
    yield f'<g role="list" class="rows" data-start="{ladder.start}" aria-label="{about}">'
    yield from map(_row, ladder.rows)
    yield "</g></svg></div>"
    if ladder.outcome:
        yield f'<p class="outcome">{text(ladder.outcome)}</p>'
    yield "</details>"


def _row(row: Drawn) -> str:
    if not row.name:
        return f'<g aria-hidden="true" class="{row.kind}">{_labels(row.labels)}</g>'
    drawn = f'<path d="{row.path}"/>' if row.path else ""
    if row.dot is not None:
        drawn += f'<circle cx="{row.dot[0]}" cy="{row.dot[1]}" r="3.5"/>'
    known = f' id="{row.key}"' if row.key else ""
    known += f' data-t="{row.times}"' if row.times else ""
    known += f' data-b="{row.payload}"' if row.payload else ""
    return (
        f'<g role="none" class="row {text(row.kind)}"><rect class="hit" y="{row.y}" '
        f'height="{row.height}" role="listitem" aria-label="{text(row.name)}"{known} '
        f'data-d="{text(row.details)}"/><g aria-hidden="true">{drawn}{_labels(row.labels)}</g></g>')


def _labels(labels: Sequence[Label]) -> str:
    return "".join([f'<text class="{label.kind}" x="{label.x}" y="{label.y}">'
                    f"{text(label.text)}</text>" for label in labels])
