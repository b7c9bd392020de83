"""Where the benchmarks read and write, and the tables of the pages that they write."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks/results/table.csv"


def markdown(header, rows, words=1):
    lines = [header, [*["---"] * words, *["---:"] * (len(header) - words)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
