"""Constructs of Jinja2, made systematically: expressions, filters, methods, slices, statements, printing.

`python3 constructs.py` writes `crates/inshore-jinja/tests/constructs.json`: each template with what Jinja2 renders, or
`null` where it raises an error.
"""

import itertools
import json
import pathlib

from reference import render

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "crates/inshore-jinja/tests/constructs.json"

CONTEXT = {
    "s": "Hello, World",
    "u": "Grüße, Ωmega straße ñ 日本 🎉",
    "w": "  padded \t\n text  ",
    "lines": "one\ntwo\r\nthree\n\nfive",
    "empty": "",
    "i": 7,
    "n": -3,
    "f": 2.5,
    "big": 123456789012,
    "yes": True,
    "no": False,
    "nil": None,
    "l": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "mixed": [1, "a", None, True, 2.0, [1], {"k": "v"}],
    "d": {"b": 2, "a": 1, "C": 3},
    "nested": {"x": {"y": [10, {"z": "deep"}]}, "items": "own", "get": 5},
    "users": [
        {"name": "Ann", "age": 30, "tags": ["x"], "city": "Rome"},
        {"name": "bob", "age": 25, "tags": [], "city": "Oslo"},
        {"name": "Cid", "age": 30, "tags": ["x", "y"], "city": "rome"},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi <b>there</b> & \"you\""},
        {"role": "assistant", "content": "It's fine."},
    ],
}

VALUES = [
    "none", "true", "false", "0", "1", "-7", "3.0", "0.1", "1e20", "1e-7", "''", "'abc'", "\"it's\"", "'a\"b'",
    "'tab\\there'", "'a\\\\b'", "[]", "[1, 'a']", "(1,)", "()", "(1, 2)", "{}", "{'a': [1, (2,)]}", "{1: none}",
    "undef", "l", "d", "mixed", "u", "lines", "range(3)", "range(5, 0, -2)", "d.items()", "d.keys()", "d.values()",
    "namespace(a=1)", "1.0e16", "123456789.123456789", "1e15", "5e-324", "1.5e300", "0.1 + 0.2", "-0.0", "2 / 3",
    "'é\\x00\\x7f\\u200b'", "'\\u00ad\\u00a0\\U0001f389'", "big", "[undef]", "[none, true, 1.5]",
]

BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
OPERANDS = ["7", "-3", "2.5", "0", "true", "'ab'", "'3'", "[1, 2]", "(1, 2)", "{'a': 1}", "none", "undef", "-2.0", "''"]

FILTERS = [
    "abs", "capitalize", "center(9)", "count", "d('z')", "default('z', true)", "dictsort", "e", "escape", "first",
    "float", "float(1.5)", "forceescape", "int", "int(9)", "items|list", "join", "join('-')", "last", "length", "list",
    "lower", "max", "min", "pprint", "replace('a', 'zz')", "reverse|list", "round", "safe", "sort", "string",
    "striptags", "sum", "title", "trim", "tojson", "tojson(indent=2)", "unique|list", "upper", "urlencode",
    "wordcount", "xmlattr", "batch(2)|list", "slice(2)|list", "map('string')|list", "select|list", "reject|list",
    "filesizeformat", "indent", "truncate(5)", "wordwrap(5)", "format", "tojson(sort_keys=true)",
    "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "tojson(indent=4, sort_keys=true)",
]
FILTERED = ["s", "u", "w", "empty", "i", "n", "f", "yes", "nil", "undef", "l", "words", "mixed", "d", "(2, 1)", "[[1, 2], [0, 5]]"]

METHODS = [
    "capitalize()", "casefold()", "center(20)", "center(21, '*')", "count('l')", "count('')", "count('o', 5)",
    "endswith('ld')", "endswith(('x', 'ld'))", "endswith('')", "expandtabs()", "expandtabs(4)", "find('o')",
    "find('zz')", "find('o', 5)", "find('o', 0, 3)", "find('', 50)", "find('', 3)", "format(1, a=2)", "index('l')",
    "index('zz')", "isalnum()", "isalpha()", "isascii()", "isdecimal()", "isdigit()", "isidentifier()", "islower()",
    "isnumeric()", "isprintable()", "isspace()", "istitle()", "isupper()", "join(['a', 'b'])", "join('xyz')",
    "join([1])", "ljust(20, '.')", "lower()", "lstrip()", "lstrip('He ')", "partition(',')", "partition('zz')",
    "removeprefix('Hel')", "removesuffix('ld')", "replace('l', 'LL')", "replace('l', '', 1)", "replace('', '-')",
    "replace('', '-', 2)", "rfind('o')", "rfind('zz')", "rindex('l')", "rjust(20)", "rpartition('o')",
    "rpartition('zz')", "rsplit()", "rsplit('o', 1)", "rsplit(none, 1)", "rstrip()", "rstrip('d')", "split()",
    "split('o')", "split('o', 1)", "split(none, 1)", "split(maxsplit=1)", "split(sep='l')", "split('')", "splitlines()",
    "splitlines(true)", "startswith('He')", "startswith(('a', 'H'))", "startswith('l', 2)", "strip()", "strip('dH')",
    "swapcase()", "title()", "upper()", "zfill(20)", "nothing()", "__len__()", "startswith(1)", "split(1)", "strip(1)",
    "find('o', -5)", "find('o', -5, -1)", "count('l', 2, 4)", "center(3)", "replace('Hello', '')", "encode()",
]
METHOD_VALUES = ["s", "u", "w", "lines", "empty", "'-42'", "'x'"]

SLICES = ["[:]", "[1:]", "[:2]", "[-2:]", "[:-1]", "[::2]", "[::-1]", "[2:0:-1]", "[5:]", "[-9:2]", "[1:1]", "[:0:-1]",
          "[3:1]", "[-1:-9:-2]", "[1:99:3]", "[0]", "[-1]", "[9]", "[none:2]", "[::0]", "['a']", "[1.5]", "[true]"]
SLICED = ["s", "u", "l", "(4, 5, 6)", "empty", "[]", "range(6)", "d", "i", "undef", "none"]

TESTS = ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping",
         "sequence", "iterable", "callable", "escaped", "lower", "upper", "odd", "even", "divisibleby(3)",
         "divisibleby 7", "eq(7)", "ne 7", "gt(1)", "lt(1)", "ge 7", "le(7)", "in([7, 's'])", "in 'abc'", "sameas(none)",
         "sameas(true)", "not defined", "not string", "equalto 'a'", "== 7", "filter", "test", "nothing"]
TESTED = ["s", "i", "f", "yes", "nil", "undef", "l", "d", "'a'", "'upper'", "range(2)", "namespace()", "(1,)", "{}",
          "cycler", "d.items()", "n", "'ABC'", "[]|map('x')"]

PERCENT = ["'%s' % 'x'", "'%s' % 5", "'%s %s' % (1, 2)", "'%d' % 3.9", "'%5d|' % 42", "'%-5d|' % 42", "'%05d' % 42",
           "'%+d' % 5", "'% d' % 5", "'%x' % 255", "'%X' % 255", "'%#x' % 255", "'%o' % 8", "'%e' % 12345.678",
           "'%.2f' % 3.14159", "'%10.3f|' % 3.14159", "'%g' % 0.0001", "'%g' % 1e10", "'%G' % 1e-10", "'%c' % 65",
           "'%c' % 'z'", "'%r' % 'a'", "'%%'", "'%%' % ()", "'%(a)s %(b)d' % {'a': 'x', 'b': 2}", "'%s' % none",
           "'%s' % [1, 2]", "'%s' % (1, 2)", "'%s' % ((1, 2),)", "'%d' % 'x'", "'%s'", "'a' % 1", "'a' % [1]",
           "'a' % {}", "'%s %s' % (1,)", "'%q' % 1", "'%*d' % (5, 3)", "'%.*f' % (2, 1.239)", "'%.3s' % 'abcdef'",
           "'%10s|' % 'é'", "'%-10s|' % 'é'", "'%(x)s' % {}", "'%s' % undef", "'%i' % true", "'%5.1f%%' % 99.55",
           "'%.0f' % 0.5", "'%.0f' % 1.5", "'%f' % 1", "'%s' % true", "'%r' % [none, 'x']", "'%.3d' % 7", "'%' % 1",
           "'%a' % 'x'", "'%#o' % 8", "'%08.3f' % -3.14159", "'%s%s' % ('a', 'b')", "'%.2e' % 0", "'%g' % 100000",
           "'%g' % 1000000", "'%#g' % 1.0", "'%+.1e' % 15000"]

FORMAT = ["'{}'.format(1)", "'{} {}'.format('a', 'b')", "'{1} {0}'.format('a', 'b')", "'{a}'.format(a=1)",
          "'{0.x}'.format({'x': 1})", "'{0[x]}'.format({'x': 1})", "'{0[1]}'.format([1, 2])", "'{!r}'.format('a')",
          "'{!s:>5}'.format('a')", "'{:5}|'.format('a')", "'{:>5}|'.format('a')", "'{:^5}|'.format('a')",
          "'{:*^7}|'.format('a')", "'{:5}|'.format(3)", "'{:<5}|'.format(3)", "'{:05}'.format(3)", "'{:+}'.format(3)",
          "'{:,}'.format(1234567)", "'{:_}'.format(1234567)", "'{:.2f}'.format(3.14159)", "'{:10.2f}|'.format(2.5)",
          "'{:e}'.format(12345.678)", "'{:g}'.format(0.00001)", "'{:%}'.format(0.25)", "'{:.1%}'.format(0.256)",
          "'{:x}'.format(255)", "'{:#x}'.format(255)", "'{:X}'.format(255)", "'{:b}'.format(5)", "'{:#b}'.format(5)",
          "'{:o}'.format(8)", "'{:d}'.format(5)", "'{:d}'.format(5.0)", "'{:s}'.format('x')", "'{:s}'.format(5)",
          "'{:.2}'.format('abc')", "'{:{w}}|'.format('a', w=4)", "'{{}}'.format()", "'{{{}}}'.format(1)", "'{}'.format()",
          "'{x}'.format()", "'{'.format()", "'}'.format()", "'{0} {}'.format(1, 2)", "'{:,.2f}'.format(12345.678)",
          "'{:.3}'.format(3.14159)", "'{:.3}'.format(1234.5)", "'{:5}|'.format(true)", "'{}'.format(none)",
          "'{:5}'.format(none)", "'{}'.format([1, 'a'])", "'{:=+6}'.format(3)", "'{:-}'.format(-3)", "'{: }'.format(3)",
          "'{:n}'.format(3)", "'{:c}'.format(65)", "'{a.b}'.format(a={'b': 2})", "'{a[b]}'.format(a={'b': 2})",
          "'{a}'.format_map({'a': 1})", "'{0.__class__}'.format('')", "'{:08.3f}'.format(-3.14159)",
          "'{:.0f}'.format(2.5)", "'{:.1f}'.format(0.25)", "'{}'.format(undef)", "'{:f}'.format(1e20)",
          "'{:E}'.format(0.00012)", "'{:G}'.format(1e-10)", "'{:.10g}'.format(0.1)", "'{:3}|'.format(1.0)",
          "'{:}'.format(1e16)", "'{:.1}'.format(5.0)", "'{:é>4}'.format('a')", "'{:<05}'.format(3)", "'{:05}'.format('ab')"]

DATES = ["%Y-%m-%d", "%d %b %Y", "%d %B %Y", "%A, %a", "%H:%M:%S", "%I:%M %p", "%j %U %W %V %G %u %w", "%-d %-m %-H %-I",
         "%_d|%_H|%e|%k|%l", "%y %C %g", "%D %F %T %R %r", "%c|%x|%X", "%Z|%z|", "%f", "%s", "%n%t|", "%%", "%", "%q",
         "%^a %^B %#Z %#p %P", "%5d|%-5d|%_5d|%010Y", "%Ey %Od %EY", "plain", "", "%B %-d, %Y", "%h", "%0e", "%10A|", "%-y",
         "%E", "%5", "%ü", "%d%", "%_m %_j %-j", "%#b %^p"]

STATEMENTS = [
    "{% for x in l %}{{ x }},{% endfor %}", "{% for x in [] %}a{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for x in l if x > 1 %}{{ loop.index }}{{ x }}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}|{% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}|{% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in l if x != 1 %}{{ loop.last }}{{ loop.length }}{{ loop.nextitem }}|{% endfor %}",
    "{% for x in [[1, [2, [3]]]] recursive %}{% if x is iterable %}({{ loop(x) }}:{{ loop.depth }}){% else %}{{ x }}{% endif %}{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for a, b in [5] %}{% endfor %}", "{% for x in 5 %}{% endfor %}",
    "{% for x in none %}{% endfor %}", "{% for x in undef %}a{% else %}b{% endfor %}", "{% for c in 'añ' %}[{{ c }}]{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}", "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% continue %}{% else %}E{% endfor %}", "{% for x in l %}{% break %}{% else %}E{% endfor %}",
    "{% break %}", "{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in l %}{% set y = x %}{% endfor %}{{ y }}", "{% set y = 0 %}{% for x in l %}{% set y = y + x %}{{ y }},{% endfor %}{{ y }}",
    "{% for x in l %}{% if loop.first %}{% set z = 5 %}{% endif %}[{{ z }}]{% endfor %}",
    "{% set ns = namespace(t=0) %}{% for x in l %}{% set ns.t = ns.t + x %}{% endfor %}{{ ns.t }}{{ ns }}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}", "{% set i.x = 1 %}", "{% set nope.x = 1 %}",
    "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace(_a=1) %}", "{% set ns = namespace() %}{% set ns._a = 1 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set (a, b) = [1, 2] %}{{ a }}{{ b }}", "{% set a, b = 'xy' %}{{ a }}{{ b }}",
    "{% set t %}x{{ i }}y{% endset %}{{ t }}{{ t|length }}", "{% set t | upper %}abc{% endset %}{{ t }}", "{% set t | replace('a', 'b') | upper %}abc{% endset %}{{ t }}",
    "{% if i %}a{% endif %}", "{% if no %}a{% elif yes %}b{% else %}c{% endif %}", "{% if undef %}a{% else %}b{% endif %}",
    "{% if i > 5 and not no or nope %}ok{% endif %}", "{% if 1, 2 %}t{% endif %}", "{% if x is defined %}{{ x }}{% else %}u{% endif %}",
    "{% macro m(a, b=2, *c) %}{% endmacro %}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 5) }}{{ m(b=1, a=2) }}{{ m() }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a, a) %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}", "{% macro m() %}[{{ caller(1, 2) }}]{% endmacro %}{% call(a, b=3) m() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m() %}x{% endmacro %}{% call m() %}in{% endcall %}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}{% call m() %}in{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro m(n) %}{% if n %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}",
    "{% macro m() %}{{ g }}{% endmacro %}{% set g = 4 %}{{ m() }}", "{% macro m() %}{% set q = 1 %}{{ q }}{% endmacro %}{{ m() }}{{ q }}",
    "{% set f = {'m': range} %}{{ f.m(3)|list }}", "{{ m() }}{% macro m() %}{% endmacro %}", "{% macro m() %}a{% endmacro %}{{ m }}{{ m.name }}{{ m() ~ m() }}{{ m()|upper }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% filter upper %}a{{ s }}b{% endfilter %}", "{% filter replace('a', 'b') | upper %}aaa{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}", "{% with %}{% set z = 1 %}{% endwith %}{{ z }}",
    "{% block x %}a{% endblock %}", "{% block x %}a{% endblock x %}", "{% block x %}{% endblock %}{% block x %}{% endblock %}", "{% for x in l %}{% block b scoped %}{{ x }}{% endblock %}{% endfor %}",
    "{% for x in l %}{% block b %}{{ x }}{% endblock %}{% endfor %}", "{% set v = 3 %}{% block b %}{{ v }}{% set w = 1 %}{% endblock %}{{ w }}", "{% block b required %}{% endblock %}", "{% block a-b %}{% endblock %}",
    "{% generation %}a{{ i }}{% endgeneration %}", "{% generation %}{% set z = 1 %}{% endgeneration %}{{ z }}", "a {%- generation -%} b {%- endgeneration -%} c", "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}",
    "{% do l %}", "{% unknown %}", "{% endif %}", "{% if yes %}", "{% for x in l %}", "{{", "{{ }}", "{{ a b }}", "{% raw %}{{ x }}{% endraw %}", "{% raw %}a", "{%- raw -%}  {{ x }}  {%- endraw -%} b",
    "{# comment #}a", "a {#- c -#} b", "{# unclosed", "{% autoescape false %}{{ '<' }}{% endautoescape %}", "{% print 1 %}", "{% print %}", "{% set true = 1 %}", "{% set 'a' = 1 %}", "{% for true in l %}{% endfor %}",
    "{% set x = cycler('a', 'b') %}{{ x.next() }}{{ x.next() }}{{ x.next() }}{{ x.current }}{{ x.reset() }}{{ x.next() }}", "{{ cycler() }}", "{% set j = joiner() %}{{ j() }}a{{ j() }}b{{ j() }}", "{% set j = joiner('|') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}",
    "{{ dict(a=1, b=2) }}", "{{ dict([('a', 1)]) }}", "{{ dict({'a': 1}, b=2) }}", "{{ dict(d) }}", "{{ dict(1) }}", "{{ dict.fromkeys(['a', 'b'], 0) }}", "{{ range(3)|list }}", "{{ range(1, 4)|list }}", "{{ range(100001)|length }}", "{{ range(0) }}", "{{ range(1, 2, 0) }}", "{{ range(10)[2:8:2] }}", "{{ 3 in range(0, 9, 3) }}", "{{ range('a') }}",
    "{{ raise_exception('no') }}", "{{ strftime_now('%Y') }}", "{{ strftime_now() }}", "{{ lipsum is callable }}", "{{ x.y }}", "{{ x['y'] }}", "{{ x() }}", "{{ x + 1 }}", "{{ x|upper }}", "{{ x ~ 'a' }}", "{{ x == y }}", "{{ x.y.z is defined }}", "{{ d.q is defined }}{{ d.q }}", "{{ d.q.r }}", "{{ d['q'] }}{{ l[9] }}{{ l.q }}",
    "{{ nested.items }}", "{{ nested['items'] }}", "{{ nested.get }}", "{{ nested['get'] }}", "{{ nested.x.y[1].z }}", "{{ nested.x.y.1.z }}", "{{ nested.x['y'][-1]['z'] }}", "{{ nested.get('x') }}", "{{ d.get('a') }}{{ d.get('z') }}{{ d.get('z', 5) }}", "{{ d.keys()|list }}{{ d.values()|sum }}", "{{ d.update({'x': 1}) }}", "{{ d.pop('a') }}", "{{ d.pop }}", "{{ l.append(4) }}", "{{ d.copy() }}{{ l.copy() }}", "{{ l.index(2) }}{{ l.count(1) }}", "{{ l.index(99) }}", "{{ (1, 2, 1).count(1) }}", "{{ (1, 2).index(2) }}",
    "{{ s.__class__ }}", "{{ s.__class__.__name__ }}", "{{ ''['__class__'] }}", "{{ l|attr('count') is callable }}", "{{ d|attr('a') }}", "{{ (1.5).is_integer() }}{{ (2.0).is_integer() }}", "{{ i.real }}{{ f.imag }}", "{{ (5).bit_length() }}", "{{ true.real }}",
    "{{ 1 if yes }}{{ 1 if no }}{{ 1 if no else 2 }}{{ 1 if no else 2 if no else 3 }}", "{{ (1 if no) is defined }}", "{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 1 == 1 != 2 }}", "{{ not 1 == 2 }}", "{{ not not 1 }}", "{{ -2 ** 2 }}{{ 2 ** 3 ** 2 }}{{ 2 ** -1 }}", "{{ - 5 }}{{ +5 }}{{ --5 }}", "{{ -l }}", "{{ 'a' 'b' \"c\" }}", "{{ 1_000 }}{{ 0x1f }}{{ 0b11 }}{{ 0o17 }}{{ 1e3 }}{{ 1_0.5 }}{{ 00 }}", "{{ 07 }}", "{{ 1. }}", "{{ .5 }}", "{{ 1.5.real }}", "{{ 1.real }}", "{{ 'a\\x41\\u0042\\101\\n\\q' }}", "{{ 'a\\\nb' }}", "{{ '\\é' }}", "{{ '\\xg' }}", "{{ 'é\\'' }}", "{{ \"a'b\" }}{{ 'a\"b' }}", "{{ 'line\nbreak' }}", "{{ 'cr\r\nlf' }}",
    "{{ {'a': 1}['a'] }}{{ {'a': 1}.a }}", "{{ {1: 'i', 1.0: 'f', true: 't'} }}", "{{ {[1]: 2} }}", "{{ {(1, 2): 3}[(1, 2)] }}{{ {(1, 2): 3}[1, 2] }}", "{{ [1, 2,] }}{{ (1, 2,) }}{{ {'a': 1,} }}", "{{ [1,, 2] }}", "{{ (1) }}{{ (1,) }}{{ 1, 2 }}", "{{ l|map('string')|join('+') }}", "{{ l|map }}", "{{ users|map(attribute='name')|join(',') }}", "{{ users|map(attribute='tags.0')|list }}", "{{ users|map(attribute='tags.0', default='-')|list }}", "{{ users|map(attribute='nope', default=1)|list }}", "{{ words|map('upper')|list }}{{ words|map('replace', 'p', 'q')|list }}", "{{ l|map('nothing')|list }}", "{{ l|map('nothing') is defined }}", "{{ users|selectattr('age', 'gt', 26)|map(attribute='name')|list }}", "{{ users|selectattr('tags')|map(attribute='name')|list }}", "{{ users|rejectattr('age', 'equalto', 30)|list|length }}", "{{ l|select('odd')|list }}{{ l|reject('odd')|list }}", "{{ l|select('gt', 1)|list }}", "{{ l|select('nothing')|list }}", "{{ words|select('in', ['fig'])|list }}",
    "{{ users|groupby('age') }}", "{% for k, g in users|groupby('city') %}{{ k }}:{{ g|length }};{% endfor %}", "{% for g in users|groupby('age') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}", "{{ users|groupby('nope', default='d')|length }}", "{{ users|groupby('city', case_sensitive=true)|length }}", "{{ users|sort(attribute='age')|map(attribute='name')|list }}", "{{ users|sort(attribute='age,name', reverse=true)|map(attribute='name')|list }}", "{{ words|sort }}{{ words|sort(case_sensitive=true) }}{{ words|sort(reverse=true) }}", "{{ mixed|sort }}", "{{ words|unique|list }}{{ words|unique(true)|list }}", "{{ users|unique(attribute='city')|list|length }}", "{{ words|min }}{{ words|max }}{{ users|max(attribute='age') }}{{ []|min }}", "{{ users|sum(attribute='age') }}{{ l|sum(start=10) }}", "{{ [[1], [2]]|sum(start=[]) }}", "{{ words|sum }}", "{{ d|dictsort }}{{ d|dictsort(true) }}{{ d|dictsort(by='value') }}{{ d|dictsort(reverse=true) }}{{ d|dictsort(by='x') }}",
    "{{ l|batch(2)|list }}{{ l|batch(2, 'x')|list }}{{ l|batch(0)|list }}", "{{ range(7)|slice(3)|list }}{{ range(7)|slice(3, 'x')|list }}{{ l|slice(0)|list }}", "{{ l|first }}{{ l|last }}{{ []|first }}{{ 'ab'|first }}{{ d|first }}{{ d|last }}", "{{ l|map('string')|first }}{{ l|map('string')|last }}", "{{ 42.55|round }}{{ 42.55|round(1) }}{{ 42.55|round(1, 'floor') }}{{ 42.55|round(1, 'ceil') }}{{ 42|round }}{{ 45|round(-1) }}{{ 42.4|round(method='x') }}", "{{ 2.5|round }}{{ 3.5|round }}{{ -2.5|round }}{{ 1234.5|round(-2) }}{{ 42|round(1, 'ceil') }}", "{{ 0.125|round(2) }}{{ 2.675|round(2) }}{{ 1e300|round(2) }}", "{{ '42.7'|int }}{{ 'x'|int }}{{ 'x'|int(5) }}{{ '0x1f'|int(base=16) }}{{ '1f'|int(0, 16) }}{{ ' 7 '|int }}{{ '1_000'|int }}{{ 3.99|int }}{{ -3.99|int }}{{ true|int }}{{ none|int }}{{ '0b11'|int(0, 2) }}{{ '012'|int(0, 0) }}{{ ''|int }}", "{{ undef|int }}", "{{ '1.5'|float }}{{ 'x'|float }}{{ 'x'|float(2.0) }}{{ '1e3'|float }}{{ 'inf'|float }}{{ ' 2 '|float }}{{ none|float }}{{ '1_0.5'|float }}{{ '_1'|float }}{{ 'infinity'|float }}{{ 'nan'|float }}{{ '.5'|float }}{{ '5.'|float }}", "{{ 1|filesizeformat }}{{ 999|filesizeformat }}{{ 1000|filesizeformat }}{{ 1536000|filesizeformat }}{{ 1536000|filesizeformat(true) }}{{ '2e9'|filesizeformat }}{{ -5|filesizeformat }}{{ 1e30|filesizeformat }}",
    "{{ lines|indent }}", "{{ lines|indent(2, true) }}", "{{ lines|indent(2, blank=true) }}", "{{ lines|indent('> ', first=true) }}", "{{ ''|indent(first=true) }}{{ '\n'|indent(2) }}|", "{{ 'a long sentence to cut'|truncate(10) }}", "{{ 'a long sentence to cut'|truncate(10, true) }}", "{{ 'a long sentence to cut'|truncate(10, true, '…', 0) }}", "{{ 'short'|truncate(5) }}{{ 'a longer one'|truncate(2) }}", "{{ 'a longer sentence that has to be wrapped somewhere'|wordwrap(12) }}", "{{ 'averyveryverylongword in here'|wordwrap(6) }}", "{{ 'averyveryverylongword in here'|wordwrap(6, false) }}", "{{ 'two\n\nparagraphs   with   gaps'|wordwrap(10, wrapstring='|') }}", "{{ 'one two-three'|wordwrap(5) }}", "{{ 'a b'|wordwrap(0) }}", "{{ 'foo bar-baz (qux) <x>'|title }}{{ 'foo bar-baz (qux) it\\'s'.title() }}", "{{ '%s-%d'|format('a', 3) }}{{ '%(x)s'|format(x=1) }}{{ '%s'|format('a', x=1) }}", "{{ '<b>x</b>'|striptags }}{{ 'a <!-- c <i> --> b'|striptags }}{{ ' a   <p>b</p> '|striptags }}", "{{ '<&>\"\\''|e }}{{ '<'|safe|e }}{{ '<'|e|e }}{{ '<'|e|forceescape }}", "{{ '<'|safe + '<' }}{{ '<' + '<'|safe }}{{ ('<'|safe) ~ '<' }}", "{{ 'a b/c?d=é'|urlencode }}{{ {'a b': 'c/d', 'e': 1}|urlencode }}{{ [('x', 'y z')]|urlencode }}", "{{ {'a': 1, 'b': none, 'c': '<'}|xmlattr }}{{ {'a': 1}|xmlattr(false) }}{{ {'a b': 1}|xmlattr }}", "{{ 'x'|center(5) }}|{{ 'x'|center(4) }}|{{ 'xy'|center(5) }}|", "{{ '  a '|trim }}|{{ 'xxaxx'|trim('x') }}", "{{ l|random }}", "{{ 'http://x.y'|urlize }}",
    "{{ messages|tojson }}", "{{ messages|tojson(indent=2) }}", "{{ mixed|tojson }}", "{{ d|tojson(sort_keys=true) }}", "{{ u|tojson(ensure_ascii=true) }}", "{{ d|tojson(separators=(',', ':')) }}{{ d|tojson(indent=1, separators=(', ', '=')) }}", "{{ '</script>\\u2028\\x7f\\x01'|tojson }}", "{{ [1e16, 1.0, 1e-7, true, none, 0.1]|tojson }}", "{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }}", "{{ undef|tojson }}", "{{ range(3)|tojson }}", "{{ (1, 2)|tojson }}", "{{ {(1, 2): 3}|tojson }}", "{{ []|tojson(indent=2) }}{{ {}|tojson(indent=2) }}{{ [[]]|tojson(indent=2) }}", "{{ d|tojson(indent='--') }}", "{{ d|tojson(true) }}", "{{ d|tojson(indent=0) }}", "{{ ('inf'|float)|tojson }}", "{{ ('<'|e)|tojson }}", "{{ [d.items()|list]|tojson }}",
    "  {% if yes %}\n  a\n  {% endif %}\n b", "x  {%- if yes -%}  a  {%- endif -%}  y", "{% if yes +%}\n a{% endif %}", "  {%+ if yes %}a{% endif %}", "a\n{{ i }}\n", "a\n\n", "{{ i -}}  b", "a {{- i }}", "\t{% set x = 1 %}\nb", "a {% set x = 1 %} b\n", "{% set x = 1 -%}\n\n b", "  {# c #}\nb", "  {# c -#}\n b", "{{ '{{' }}{{ '%}' }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{%if yes%}a{%endif%}", "{%- for x in l -%}\n {{ x }} \n{%- endfor -%}", "{% if yes %}\n\n\na{% endif %}", "<{% for x in l %}\n<{{ x }}>\n{% endfor %}\n>", "{% if yes %}a{% endif %}\n\n{% if yes %}b{% endif %}\n", "a\r\nb\rc", "{{ 'a' }}\n{% if no %}{% endif %}\n{{ 'b' }}",
    "{{ u|length }}{{ u[2] }}{{ u[-1] }}{{ u.find('日') }}{{ u|upper }}{{ u|lower }}{{ u|title }}{{ u|capitalize }}", "{{ 'ß'.upper() }}{{ 'ß'.capitalize() }}{{ 'ǆ'.title() }}{{ 'ΑΣ'.lower() }}{{ 'İ'.lower()|length }}{{ 'ﬁ'.upper() }}", "{{ ['é', '日', '\\x07', '\\u200d', '🎉'] }}", "{{ 'a,b,,c'.split(',') }}{{ ' a  b '.split(' ') }}{{ 'aXbXc'.rsplit('X', 1) }}", "{{ 'x'.join(l|map('string')) }}", "{{ '-'.join(d) }}{{ '-'.join('abc') }}", "{{ 'abc' in 'xabcx' }}{{ 1 in '123' }}", "{{ 'a' in d }}{{ 'z' in d }}{{ [1] in d }}{{ 1 in l }}{{ 1.0 in l }}{{ 'a' in undef }}{{ undef in 'a' }}", "{{ 1 == 1.0 }}{{ true == 1 }}{{ 'a' == 'a' }}{{ [1] == (1,) }}{{ [1, [2]] == [1, [2.0]] }}{{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }}", "{{ 'a' < 'b' }}{{ [1, 2] < [1, 3] }}{{ (1,) < (1, 2) }}{{ 'é' > 'z' }}{{ 1 < 'a' }}", "{{ 2**62 * 2 }}{{ 2**64 }}{{ 2**100 }}{{ 10**20 // 3 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 7 % -3 }}{{ 7.5 // 2 }}{{ -7.5 % 2 }}", "{{ 1/3 }}{{ 4/2 }}{{ 7/0 }}", "{{ 10**19 / 10**18 }}{{ 1e308 * 10 }}{{ 2**0.5 }}{{ 0 ** 0 }}{{ 0.0 ** 0 }}", "{{ 1e400 }}", "{{ [1, 2] + [3] }}{{ (1,) + (2,) }}{{ [1] * 3 }}{{ 'ab' * 2 }}{{ 2 * [0] }}{{ [1] * -1 }}{{ [1] + (2,) }}",
]

EXTRA_CALLS = ["{{ f(*[1, 2], **{'k': 3}) }}", "{{ f(1, *[2]) }}", "{{ f(k=1, *[2]) }}", "{{ f(**{'k': 1}) }}", "{{ f(**d) }}", "{{ f(*s) }}", "{{ f(1, k=2, k=3) }}",
               "{{ f(*l, **d, x=1) }}", "{{ f(**{'a': 1}, **{'b': 2}) }}", "{{ f(1,) }}", "{{ f(k=1, 2) }}", "{{ f(*5) }}", "{{ f(**5) }}", "{{ f(**{'k': 1}, k=2) }}"]


def cases():
    yield from ("{{ " + value + " }}" for value in VALUES)
    yield from ("{{ [" + value + "] }}" for value in VALUES)
    yield from ("{{ (" + value + ")|tojson }}" for value in VALUES)
    yield from ("{{ (" + value + ")|string|length }}" for value in VALUES)
    for operator, (left, right) in itertools.product(BINARY, itertools.product(OPERANDS, OPERANDS)):
        yield "{{ " + left + " " + operator + " " + right + " }}"
    for name, value in itertools.product(FILTERS, FILTERED):
        yield "{{ " + value + "|" + name + " }}"
    for method, value in itertools.product(METHODS, METHOD_VALUES):
        yield "{{ " + value + "." + method + " }}"
    for part, value in itertools.product(SLICES, SLICED):
        yield "{{ " + value + part + " }}"
    for test, value in itertools.product(TESTS, TESTED):
        yield "{{ " + value + " is " + test + " }}"
    yield from ("{{ " + expression + " }}" for expression in PERCENT + FORMAT)
    yield from ("{{ strftime_now(" + json.dumps(date, ensure_ascii=False) + ") }}" for date in DATES)
    yield from STATEMENTS
    for call in EXTRA_CALLS:
        yield "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}" + call


def main():
    found = []
    for source in dict.fromkeys(cases()):
        kind, text = render(source, CONTEXT)
        found.append([source, text if kind == "text" else None])
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in found)
    context = json.dumps(CONTEXT, ensure_ascii=True, separators=(",", ":"))
    GOLDEN.write_text('{"context":' + context + ',\n"cases":[\n' + lines + "\n]}\n")
    print(f"{len(found)} constructs, {sum(case[1] is None for case in found)} of them errors: {GOLDEN}")


if __name__ == "__main__":
    main()
