"""Targets as a picture: how much of each is reached, a bar for each, in SVG."""

from collections.abc import Sequence
from html import escape

from tools.benchmarks.report import Target

ROW, BAR, WORDS, WIDTH = 22, 260, 640, 1180
MOST = 3.0
"""A bar ends there: three times as good as wanted."""
COLOURS = {True: "#2e7d32", False: "#c62828"}


def draw(title: str, targets: Sequence[Target]) -> str:
    """One row for each target that was measured; the line across is where it is just met."""
    shown = [(target, target.reached) for target in targets if target.reached is not None]
    height = ROW * (len(shown) + 2)
    font = 'font-family="sans-serif" font-size="13"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {font}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="8" y="{ROW * 0.8:.0f}" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (target, reached) in enumerate(shown, 1):
        top, width = number * ROW, BAR * min(reached, MOST) / MOST
        lines += [
            f'<text x="8" y="{top + 15}">{escape(target.what)}</text>',
            f'<rect x="{WORDS}" y="{top + 4}" width="{width:.0f}" height="{ROW - 8}" fill="{COLOURS[target.met]}"/>',
            f'<text x="{WORDS + BAR + 8}" y="{top + 15}">{escape(target.got or "")}</text>',
        ]
    met = WORDS + BAR / MOST
    lines.append(
        f'<line x1="{met:.0f}" x2="{met:.0f}" y1="{ROW}" y2="{height - ROW}" stroke="black" stroke-dasharray="3 3"/>'
    )
    lines.append("</svg>")
    return "\n".join(lines) + "\n"
