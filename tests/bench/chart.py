"""A chart of the ratios to the bare program, as SVG: one bar a figure, its spread a line, its goal a mark."""

from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, TOP = 22, 420, 420, 50
MOST = 2.0  # what is beyond is cut, and says its number


def ratios(figures, machine):
    shown = [figure for figure in figures if figure.goal and figure.goal.of == "ratio"]
    height = TOP + ROW * len(shown) + 20
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" height="{height}" '
             f'font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="20" font-size="14">Recorded, as a ratio to the bare program ({escape(machine)})</text>']  # fmt: skip
    for mark in (0.5, 1.0, 1.5, 2.0):
        parts.append(f'<line x1="{at(mark)}" y1="{TOP - 10}" x2="{at(mark)}" y2="{height - 15}" stroke="#ccc"/>'
                     f'<text x="{at(mark)}" y="{TOP - 14}" text-anchor="middle">{mark:g}</text>')  # fmt: skip
    for number, figure in enumerate(shown):
        y = TOP + ROW * number
        median, least, most = figure.compared()
        colour = "#4a8" if figure.is_met() else "#d74"
        goal = figure.goal.at_least if figure.goal.at_least > 0 else figure.goal.at_most
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(figure.name)}</text>'
                     f'<rect x="{LEFT}" y="{y}" width="{at(median) - LEFT}" height="14" fill="{colour}"/>'
                     f'<line x1="{at(least)}" y1="{y + 7}" x2="{at(most)}" y2="{y + 7}" stroke="black"/>'
                     f'<line x1="{at(goal)}" y1="{y - 2}" x2="{at(goal)}" y2="{y + 16}" stroke="black" stroke-width="2"/>'
                     f'<text x="{LEFT + WIDTH + 10}" y="{y + 12}">{median:.2f}</text>')  # fmt: skip
    return "\n".join([*parts, "</svg>\n"])


def at(ratio):
    return round(LEFT + WIDTH * min(max(ratio, 0), MOST) / MOST, 1)
