//! Templates that try to hang, to take all memory, to overflow the stack or to panic.

use inshore_jinja::{ErrorKind, Input, Limits, Options, Template};
use proptest::prelude::*;

fn variables() -> Vec<(&'static str, Input)> {
    let messages = serde_json::json!([{ "role": "user", "content": "Hello, 日本 <b>you</b>" }]);
    vec![
        ("messages", Input::content(messages)),
        ("s", Input::content("a text, and more")),
        ("l", Input::content(serde_json::json!([3, 1, 2, "x", null, [1], { "k": 1.5 }]))),
        ("d", Input::content(serde_json::json!({ "a": 1, "b": [2] }))),
    ]
}

/// Renders on a stack as small as WebAssembly's.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).expect("a thread").join().expect("no panic");
}

fn kind(source: &str) -> Option<ErrorKind> {
    let rendered = Template::new(source).and_then(|template| template.render(&variables(), &Options::default()));
    rendered.err().map(|error| error.kind())
}

#[test]
fn work_inside_one_operation_is_counted() {
    let runaways = [
        "{{ 'x'|indent(99999999999) }}",
        "{{ 'x' * 99999999999 }}",
        "{{ 99999999999999999999 * 'x' }}",
        "{{ [1] * 999999999999 }}",
        "{{ (1,) * 999999999999 * 999999999999 }}",
        "{{ 'x'|center(99999999999) }}",
        "{{ 'x'.ljust(99999999999) }}{{ 'x'.zfill(99999999999) }}",
        "{{ 'x'.rjust(99999999999) }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ '%*d' % (99999999999, 1) }}",
        "{{ '%.99999999999d' % 1 }}",
        "{{ '{:99999999999}'.format('x') }}",
        "{{ '{:>{w}}'.format('x', w=99999999999) }}",
        "{{ '\t'.expandtabs(99999999999) }}",
        "{{ [1]|tojson(indent=99999999999) }}",
        "{{ l|batch(99999999999, 'x')|list }}",
        "{{ l|slice(99999999999)|list }}",
        "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x.replace('', ns.x) %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x.join(ns.x) %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=1) %}{% for a in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}",
        "{% set ns = namespace(x=1) %}{% for a in range(9999) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
        "{% set ns = namespace(x=1) %}{% for a in range(9999) %}{% set ns.x = [ns.x]|map('default', 1) %}{% endfor %}",
        "{% set ns = namespace(x=1) %}{% for a in range(9999) %}{% set ns.x = cycler(ns.x) %}{% endfor %}",
        "{% set ns = namespace(x=1) %}{% for a in range(9999) %}{% set ns.x = joiner(ns.x) %}{% endfor %}",
        "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% set y = range(99999)|list|sort %}{% endfor %}",
        "{{ range(99999)|map('string')|map('list')|map('join')|list|tojson|list|length * 0 }}{% for a in range(999) %}{{ range(99999)|list|length }}{% endfor %}",
        "{% set x = 'a' * 3000000 %}{% for a in range(9999) %}{{ x }}{% endfor %}",
        "{% set x = 'a' * 3000000 %}{% for a in range(99999) %}{% set y = x.count('b') %}{% endfor %}",
        "{% set x = 'a' * 3000000 %}{% for a in range(99999) %}{% set y = 'b' in x %}{% endfor %}",
        "{% set x = 'a' * 3000000 %}{% for a in range(99999) %}{% set y = x == x ~ '' %}{% endfor %}",
        "{% set x = 'é' * 3000000 %}{% for a in range(99999) %}{% set y = x[-1] %}{% endfor %}",
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}",
        "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
        "{% for a in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{% for a in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}",
        "{% set x = '<' * 200000 %}{% for a in range(999) %}{{ x|e|length }}{{ x|urlencode|length }}{% endfor %}",
        "{% set ns = namespace(n=0) %}{% for a in range(100000) %}{% set ns.n = namespace(m=ns.n) %}{% endfor %}{{ ns.n }}",
    ];
    for source in runaways {
        assert_eq!(kind(source), Some(ErrorKind::Budget), "{source}");
    }
    // Quick, and right.
    assert_eq!(
        kind(
            "{% for m in messages[1:][::-1] %}{% endfor %}{{ 'abc'.count('') }}{{ '' * 99999999999999 }}{{ [] * 99999999999 }}"
        ),
        None
    );
}

#[test]
fn nothing_overflows_a_small_stack() {
    let cases: &[(&str, &str, &str)] = &[
        ("{{ ", "(", "1"),
        ("{{ ", "not ", "1"),
        ("{{ ", "-", "1"),
        ("{{ ", "[", "1"),
        ("{{ ", "{1:", "1"),
        ("", "{% if 1 %}", ""),
        ("{% if 1 %}", "{% elif 1 %}", "{% endif %}"),
        ("", "{% filter upper %}", ""),
        ("", "{% for a in l %}", ""),
        ("", "{% macro m() %}", ""),
        ("{{ messages", ".a", "}}"),
        ("{{ messages", "[0]", "}}"),
        ("{{ messages", "[:]", "}}"),
        ("{{ messages", "()", "}}"),
        ("{{ 1", "+1", "}}"),
        ("{{ 1", "~1", "}}"),
        ("{{ 1", "**1", "}}"),
        ("{{ 1", " and 1", "}}"),
        ("{{ 1", "<1", "}}"),
        ("{{ 1", "|int", "}}"),
        ("{{ 1", " is odd", "}}"),
        ("{{ 1", " if 1 else 1", "}}"),
        ("{% for ", "(", "a in [] %}{% endfor %}"),
        ("{% set a", ",a", "= 1 %}"),
        ("", "{% set x = [x] %}", "{{ x }}"),
        ("", "{% set x = (x, x) %}", "{{ x == x }}{{ x < x }}{{ {x: 1} }}"),
        ("{% macro f(n) %}{{ f([n]) }}{% endmacro %}{{ f(1", "", ") }}"),
    ];
    for &(before, repeated, after) in cases {
        on_a_small_stack(move || {
            for depth in [1, 60, 79, 150, 400, 20_000] {
                let _ = kind(&format!("{before}{}{after}", repeated.repeat(depth)));
                let closed = ["{% endif %}", "{% endfilter %}", "{% endfor %}", "{% endmacro %}"];
                for close in closed {
                    let _ = kind(&format!("{before}{}x{}", repeated.repeat(depth), close.repeat(depth)));
                }
            }
        });
    }
    on_a_small_stack(|| {
        let nested = (0..120).fold(serde_json::json!(1), |value, _| serde_json::json!([{ "a": value }]));
        let template = Template::new("{{ x }}{{ x|tojson }}{{ x == x }}").expect("compiles");
        let _ = template.render(&[("x", Input::content(nested))], &Options::default());
    });
}

#[test]
fn numbers_at_their_limits_are_errors_or_right() {
    let least = "(-(2**126) * 2)";
    let most = "(2**126 - 1 + 2**126)";
    let shapes = [
        "X + Y",
        "X - Y",
        "X * Y",
        "X / Y",
        "X // Y",
        "X % Y",
        "X ** Y",
        "-X",
        "+X",
        "X|abs",
        "X|round(Y)",
        "X|round(-2)",
        "X|round(1, 'ceil')",
        "s[X:Y]",
        "s[::X]",
        "l[X]",
        "l[X:Y:X]",
        "range(9)[::X]",
        "range(9)[::X][::X]",
        "range(X)",
        "range(X, Y)",
        "range(9)[X]",
        "X in range(9)",
        "s * X",
        "l * X",
        "s.find('a', X, Y)",
        "s.split('a', X)",
        "s.replace('a', 'b', X)",
        "s.center(X)",
        "s.zfill(X)",
        "s.expandtabs(X)",
        "l|batch(X, 1)|list",
        "l|slice(X)|list",
        "s|truncate(X)",
        "s|truncate(9, leeway=X)",
        "s|indent(X)",
        "s|wordwrap(X)",
        "s|center(X)",
        "X|filesizeformat",
        "'%d' % X",
        "'%*d' % (X, 1)",
        "'%.*f' % (X, 1)",
        "'{:X}'.format(X)",
        "'{:,}'.format(X)",
        "'{:e}'.format(X)",
        "X|tojson(indent=Y)",
        "X.bit_length()",
        "l.index(1, X, Y)",
        "[X, Y]|sum",
        "[X, Y]|sort",
        "X == 1e38",
        "X < 1e40",
        "X|float|int",
        "1e38|int",
        "'X'|int",
        "{X: 1}[X]",
        "X|string|int",
        "X * 1.0",
        "cycler(X).next()",
        "-X|abs",
    ];
    for shape in shapes {
        for x in [least, most, "0", "-1", "9223372036854775808", "1e308", "true"] {
            for y in [least, most, "0", "-1", "3"] {
                let _ = kind(&format!("{{{{ {} }}}}", shape.replace('X', x).replace('Y', y)));
            }
        }
    }
    let date = |format: &str, time: i64| {
        let now = Some(inshore_jinja::LocalTime::from_unix(time, i32::MAX));
        let template = Template::new(&format!("{{{{ strftime_now('{format}') }}}}")).expect("compiles");
        let _ = template.render(&[], &Options { now, ..Options::default() });
    };
    for time in [i64::MIN, i64::MAX, 0, -1] {
        date(
            "%a %A %b %c %C %d %e %f %F %g %G %H %I %j %k %l %m %M %p %P %r %s %S %u %U %V %w %W %x %X %y %Y %z %Z %99Y",
            time,
        );
    }
}

#[test]
fn the_deadline_ends_a_run() {
    let template = Template::new("{% for a in range(99999) %}{{ range(99)|sum }}{% endfor %}").expect("compiles");
    let asked = std::cell::Cell::new(0);
    let deadline = || {
        asked.set(asked.get() + 1);
        asked.get() == 3
    };
    let error = template.render(&[], &Options { deadline: Some(&deadline), ..Options::default() }).expect_err("ends");
    assert_eq!((error.kind(), asked.get()), (ErrorKind::Budget, 3));
}

/// Pieces that make deep and odd templates when they are put together at random.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "{{ ",
        " }}",
        "{% ",
        " %}",
        "{%- ",
        " -%}",
        "{# ",
        " #}",
        "if ",
        "else",
        "elif ",
        "endif",
        "for x in ",
        "endfor",
        "set x = ",
        "set ns.x = ",
        "macro f(a, b=1)",
        "endmacro",
        "call f()",
        "endcall",
        "raw",
        "endraw",
        "loop.last",
        "loop(x)",
        "recursive",
        "namespace(x=1)",
        "s",
        "l",
        "d",
        "messages",
        "x",
        "ns",
        "f(1)",
        "'a'",
        "\"é\\n\"",
        "1",
        "2.5",
        "-1",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ":",
        ",",
        ".",
        "|",
        "~",
        "+",
        "-",
        "*",
        "**",
        "//",
        "/",
        "%",
        "==",
        "<",
        " in ",
        " not ",
        " and ",
        " or ",
        " is ",
        "defined",
        "string",
        "upper",
        "tojson",
        "join('x')",
        "map('upper')",
        "select('odd')",
        "list",
        "sort",
        "replace('a', '')",
        "indent(3)",
        "batch(2)",
        "groupby('k')",
        "round(1)",
        ".split()",
        ".items()",
        ".format(1)",
        ".get('a')",
        "[::-1]",
        "[1:]",
        "[-1]",
        "\n",
        "  ",
        "text",
        "=",
        "99999999",
    ])
    .prop_map(String::from);
    prop_oneof![8 => known, 1 => "\\PC{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_template_panics_and_each_stays_in_its_budget(pieces in prop::collection::vec(piece(), 0..40)) {
        let source: String = pieces.concat();
        let limits = Limits { work: 3_000_000, memory_bytes: 1 << 20, output_bytes: 1 << 16, depth: 100 };
        if let Ok(template) = Template::new(&source) {
            let options = Options { limits, ..Options::default() };
            if let Ok(rendered) = template.render(&variables(), &options) {
                prop_assert!(rendered.text.len() <= limits.output_bytes);
                let joined: String = rendered.pieces().map(|(text, _)| text).collect();
                prop_assert_eq!(joined, rendered.text);
            }
        }
    }

    #[test]
    fn an_expression_never_panics(pieces in prop::collection::vec(piece(), 1..12)) {
        let source = format!("{{{{ {} }}}}", pieces.concat());
        let limits = Limits { work: 3_000_000, memory_bytes: 1 << 20, output_bytes: 1 << 16, depth: 100 };
        if let Ok(template) = Template::new(&source) {
            let _ = template.render(&variables(), &Options { limits, ..Options::default() });
        }
    }
}
