"""`retoma flow new`: a small working flow, with a tool and tests, to start from."""

from __future__ import annotations

from pathlib import Path

import click

from retoma.errors import Conflict, Invalid, Unavailable
from retoma.interfaces.cli.context import Invocation
from retoma.interfaces.cli.verb import verb

__all__ = ["new"]

_FILES = {
    "start.md": """\
---
input_type: text
save_to: name
to: table
---
Good evening. What name is the booking for?
""",
    "table.md": """\
---
input_type: int
save_to: guests
transitions:
  - condition: input < 1 or input > 8
    to: table
to: book
---
How many guests, {{ .name }}? We have room for eight.
""",
    "book.md": """\
---
do:
  name: book_table
  args:
    name: "{{ .name }}"
    guests: "{{ .guests }}"
  metadata:
    confirm_msg: Book a table for {{ .guests }}?
save_to: booking
on_denied: changed
to: end
---
Booking the table.
""",
    "changed.md": """\
---
wait: true
to: table
---
Nothing was booked. Press Enter to choose again.
""",
    "end.md": """\
Table {{ .booking.table }} is yours, {{ .name }}.
""",
    "tools.yaml": """\
# The programs that this flow may call. Each runs without a shell, in this directory.
tools:
  - name: book_table
    command: python3
    args: [book_table.py]
    timeout: 30s
""",
    "book_table.py": '''\
"""Book a table. Its arguments are JSON in RETOMA_ARGS; what it prints is its result."""

import json
import os

order = json.loads(os.environ["RETOMA_ARGS"])
# After a crash, it is called again with the same key: a real tool first checks whether this key has a booking.
key = os.environ["RETOMA_IDEMPOTENCY_KEY"]
print(json.dumps({"table": 1 + int(key, 16) % 12, "guests": order["guests"]}))
''',
    "README.md": """\
# NAME

This flow books a table. `start` asks, `book` calls the tool in `tools.yaml`, and `.tests` holds the tests.
""",
    ".tests/booked.yaml": """\
name: A table for two
inputs: [Ana, "2"]
tools:
  book_table: {result: {table: 7, guests: 2}}
expect:
  node: end
  calls:
    - {name: book_table, args: {name: Ana, guests: 2}}
  output: Table 7 is yours, Ana.
""",
    ".tests/refused.yaml": """\
name: Too many guests, then a refusal
inputs:
  - Ana
  - {input: "12", at: table}
  - {input: "8", at: table}
tools:
  book_table: {denied: true}
expect:
  status: waiting_for_input
  node: changed
  history: [start, table, table, book, changed]
""",
}


@verb("flow new", example="retoma flow new supper")
@click.argument("name", type=click.Path(path_type=Path))
def new(ctx: Invocation, *, name: Path) -> None:
    """Create the directory of a small flow with questions, a tool and tests, as a start for your own."""
    if not name.name or name.name.startswith("."):
        raise Invalid(
            f"'{name}' is not a valid name for a flow's directory.",
            code="bad_name",
            hint="For example: supper",
        )
    if name.exists():
        raise Conflict(f"'{name}' already exists.", code="exists", hint="Choose another name.")
    try:
        for file, text in _FILES.items():
            path = name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("# NAME", f"# {name.name}"), encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"'{name}' cannot be made: {error.strerror}.", code="not_made") from error
    if ctx.out.json:
        ctx.out.print_json({"flow": str(name), "files": [str(name / file) for file in sorted(_FILES)]})
        return
    ctx.out.line(f"{name}: {sum(file.endswith('.md') for file in _FILES) - 1} nodes, a tool and two tests.")
    ctx.out.line(f"  retoma flow test {name}     run its tests")
    ctx.out.line(f"  retoma run {name}           run it")
    ctx.out.line(f"  retoma flow graph {name}    draw it")
