"""What an author sees of templates: what they print, what they refuse, and that they can do nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retoma.model.codec import Json
from retoma.template import template as templates
from retoma.template.template import TemplateError, check, paths, render, value

DATA: dict[str, Json] = {
    "name": "Ada",
    "age": 36,
    "big": 1000000.0,
    "small": 0.00001,
    "yes": True,
    "empty": "",
    "zero": 0,
    "user": {"mail": "a@b.c", "tags": ["x", "y"]},
    "list": [3, 1, 2],
    "map": {"b": 2, "a": 1},
    "sys": {"ans": "hi"},
}


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        ("plain }} text", "plain }} text"),
        ("{{ .name }}/{{ name }}/{{.name}}", "Ada/Ada/Ada"),
        ("{{ .user.mail }} {{ user.mail }} {{ sys.ans }}", "a@b.c a@b.c hi"),
        ("[{{ .missing }}{{ .user.no.where }}{{ .name.first }}]", "[]"),
        ("{{ .big }} {{ .small }} {{ 1e3 }} {{ .yes }}", "1000000 0.00001 1000 true"),
        ("{{ .user }} {{ .list }}", '{"mail":"a@b.c","tags":["x","y"]} [3,1,2]'),
        ("{{ if .empty }}a{{ else if .age }}b{{ else }}c{{ end }}", "b"),
        ("{{ if .empty }}a{{ else if .zero }}b{{ else }}c{{ end }}", "c"),
        ("{{ with .user }}{{ .mail }} {{ $.name }}{{ end }}", "a@b.c Ada"),
        ("{{ with .missing }}a{{ else }}b{{ end }}", "b"),
        ("{{ with $m := .user.mail }}{{ $m }}{{ . }}{{ end }}", "a@b.ca@b.c"),
        ("{{ range .list }}{{ . }},{{ end }}", "3,1,2,"),
        ("{{ range $i, $e := .list }}{{ $i }}={{ $e }} {{ end }}", "0=3 1=1 2=2 "),
        ("{{ range $k, $v := .map }}{{ $k }}{{ $v }}{{ end }}", "a1b2"),
        ("{{ range .missing }}a{{ else }}none{{ end }}", "none"),
        ("{{ range .list }}{{ if eq . 1 }}{{ break }}{{ end }}{{ . }}{{ end }}", "3"),
        ("{{ range .list }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "32"),
        ("{{ $x := 1 }}{{ if .yes }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ('{{ eq .name `Ada` }} {{ eq .age 1 36 }} {{ ne .name "Bob" }}', "true true true"),
        ("{{ lt .age 40 }} {{ ge .age 36 }} {{ gt .missing 1 }}", "true true false"),
        ("{{ and .yes .name }} {{ or .empty .name }} {{ not .empty }}", "Ada Ada true"),
        ("{{ len .list }} {{ len .name }} {{ len .missing }}", "3 3 0"),
        ('{{ index .list 1 }} {{ index .user "tags" 0 }} {{ index .list 9 }}', "1 x "),
        ('{{ (index .user.tags 1) | printf "%5s|%-3d|%05.1f" "a" 7 }}', "    a|7  |%!f(y)"),
        ('{{ printf "%05.1f %q %v %t %x %d%%" 2.25 "a" .list true 255 3 }}', '002.2 "a" [3,1,2] true ff 3%'),
        (
            '{{ .empty | default "x" }} {{ default "x" .name }} {{ coalesce .missing .empty .age }}',
            "x Ada 36",
        ),
        ("{{ .user.tags | toJson }}", '["x","y"]'),
        ("a  {{- /* note }} */ -}}  b {{- .name -}} c", "abAdac"),
        ('{{ if and (eq .name "Ada") (gt .age 18) }}ok{{ end }}', "ok"),
        ('{{ "}}" }}', "}}"),
        ("{{-3}}", "-3"),
    ],
)
def test_what_a_template_prints(template: str, printed: str) -> None:
    assert render(template, DATA) == printed


@pytest.mark.parametrize(
    ("template", "line", "says"),
    [
        ("a\nb {{ .name", 2, "not closed"),
        ("\n\n{{ if .a }}\nx", 3, "has no {{ end }}"),
        ("{{ range .a }}{{ else }}", 1, "has no {{ end }}"),
        ("x\n{{ end }}", 2, "outside a block"),
        ("x\n{{ else }}", 2, "outside a block"),
        ("{{ }}", 1, "empty"),
        ("{{ if }}x{{ end }}", 1, "missing"),
        ("{{ .a | }}", 1, "missing"),
        ("{{ upper .a }}", 1, "not a function"),
        ("{{ len }}{{ len 1 2 }}", 1, "len needs 1"),
        ("{{ $x }}", 1, "not declared"),
        ("{{ $x = 1 }}", 1, "not declared"),
        ("{{ (.a }}", 1, "not closed"),
        ("{{ .a) }}", 1, "Unexpected"),
        ("{{ .a ! }}", 1, "Unexpected"),
        ('{{ "a }}', 1, ""),
        ("{{ template `x` }}", 1, "is not supported"),
        ("{{ break }}", 1, "outside"),
        ("\n{{/* never", 2, "comment"),
        ("{{ lt .list 1 }}", 1, "cannot compare"),
        ("{{ range .name }}{{ end }}", 1, "cannot iterate over"),
        ("{{ if .a }}{{ else }}{{ else }}{{ end }}", 1, "second"),
    ],
)
def test_a_template_that_is_wrong_says_where(template: str, line: int, says: str) -> None:
    with pytest.raises(TemplateError) as raised:
        render(template, DATA)
    assert raised.value.line == line
    assert says in str(raised.value)


def test_one_action_alone_keeps_its_type() -> None:
    assert value("{{ .list }}", DATA) == [3, 1, 2]
    assert value("  {{ .age }} ", DATA) == 36
    assert value("{{ .missing }}", DATA) is None
    assert value("{{ .age }} years", DATA) == "36 years"
    assert value("{{ .age }}{{ .age }}", DATA) == "3636"
    assert value("text", DATA) == "text"


INJECTIONS = [
    "{{ .__class__ }}",
    "{{ .name.__class__.__mro__ }}",
    "{{ __import__ }}",
    "{{ .user.__init__.__globals__ }}",
    "{{ (index .user `__class__`) }}",
    "{{ $.sys.modules.os }}",
    "{{ .list.append }}",
    "{{ .name.format }}",
]


@pytest.mark.parametrize("template", INJECTIONS)
def test_no_attribute_can_be_reached(template: str) -> None:
    assert render(template, DATA) == ""


EXHAUSTING = [
    "{{ range 10001 }}x{{ end }}",
    "{{ range 9999999999999 }}{{ end }}",
    "{{ range 200 }}{{ range 200 }}{{ end }}{{ end }}",
    "{{ $x := `ab` }}{{ range 9000 }}{{ $x = printf `%s%s` $x $x }}{{ end }}",
    '{{ $x := `"` }}{{ range 9000 }}{{ $x = toJson $x }}{{ end }}',
    "{{ range 9000 }}" + "x" * 200 + "{{ end }}",
    "{{ printf `%999999999d` 1 }}",
    "{{ printf `%.999999999f` 1 }}",
    "{{ if 1 }}" * 51 + "{{ end }}" * 51,
    "{{ if 1 }}{{ else " * 3000,
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "not " * 3000 + "1 }}",
    "{{ if a }}" + "{{ else if a }}" * 3000 + "{{ end }}",
    "{{ " + "9" * 5000 + " }}",
    "{{" * 20000,
    '{{ "' + "\\\\" * 20000 + " }}",
    "{{ 1 " + "| not " * 20000 + "}}",
    "{{- /*" * 3000,
    "{{ " + '\\"' * 200_000,
    "{{ printf `%d` 1e999 }}",
]


@pytest.mark.parametrize("template", EXHAUSTING, ids=range(len(EXHAUSTING)))
def test_what_would_exhaust_the_process_fails_soon(template: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateError):
        render(template, DATA)
    assert time.process_time() - began < 1


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "if",
        "else",
        "end",
        "range",
        "with",
        ".a",
        "$x",
        ":=",
        "|",
        "(",
        ")",
        '"',
        "`",
        "1",
        "eq",
        "printf",
        "index",
        "/*",
        "*/",
        "\n",
        ",",
        "%d",
        "break",
        ".",
        "$",
        "name",
        "-",
        "é",
        "\\",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.lists(PIECES).map("".join)))
def test_any_text_renders_or_is_a_template_error(template: str) -> None:
    try:
        render(template, DATA)
        value(template, DATA)
        check(template)
    except TemplateError as error:
        assert 1 <= error.line <= template.count("\n") + 1


@settings(max_examples=60)
@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_is_left_alone(text: str) -> None:
    assert render(text, {}) == text


@settings(max_examples=60)
@given(st.text(), st.text(alphabet="abc{}.$ "))
def test_what_a_user_typed_is_never_read_as_a_template(typed: str, around: str) -> None:
    assert render("{{ .typed }}", {"typed": typed}) == typed
    assert render("{{ .typed }}", {"typed": f"{{{{ {around} }}}}"}) == f"{{{{ {around} }}}}"


PIECES = [
    *(
        "{{ .a }}",
        "{{.b.c}}",
        "{{  .d}}",
        "{{ .é }}",
        "{{ .j.1 }}",
        "{{ .k\n}}",
        "{{ a }}",
        "{{ $.g }}",
        "{{ . }}",
    ),
    *("{{- .e }}", "{{ .f -}}", "{{/* .h */}}", '{{ "}}" }}', "{{ if .i }}", "{{ end }}"),
    *("{", "{{", "}}", "}", "\n", "x"),
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_keys_are_found_in_any_template_as_in_its_tree(template: str) -> None:
    def found() -> object:
        try:
            return paths(template)
        except TemplateError as error:
            return error.message, error.line

    with pytest.MonkeyPatch.context() as patch:
        quickly = found()
        patch.setattr(templates, "MAX_ACTION", -1)  # so that each is parsed
        assert quickly == found()
