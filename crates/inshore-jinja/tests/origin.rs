//! Which text came from the conversation.

use inshore_jinja::{Input, Options, Origin, Template};

/// The rendered text, with the conversation's letters in brackets.
fn marked(source: &str) -> String {
    let variables = [
        ("c", Input::content("Ab é")),
        ("t", Input::trusted("<s>")),
        ("l", Input::content(serde_json::json!(["x", "y"]))),
        ("d", Input::content(serde_json::json!({ "k\n": "v\"" }))),
        ("n", Input::content(7)),
    ];
    let rendered = Template::new(source).and_then(|template| template.render(&variables, &Options::default()));
    let rendered = rendered.unwrap_or_else(|error| panic!("{source}: {error}"));
    rendered
        .pieces()
        .map(|(text, origin)| if origin == Origin::Content { format!("[{text}]") } else { text.to_owned() })
        .collect()
}

#[test]
fn operations_keep_the_origin_of_each_letter() {
    let cases = [
        ("<{{ c }}>", "<[Ab é]>"),
        ("{{ t ~ c ~ t }}", "<s>[Ab é]<s>"),
        ("{{ '<' + c + '>' }}", "<[Ab é]>"),
        ("{{ c[1:] }}{{ c[::-1] }}{{ c[-1] }}", "[b éé bAé]"),
        ("{{ c|upper }}{{ c.lower() }}{{ c|capitalize }}{{ c|title }}{{ c.swapcase() }}", "[AB Éab éAb éAb ÉaB É]"),
        ("{{ ('-' ~ c ~ '-').strip('-') }}", "[Ab é]"),
        ("{{ ('-' ~ c).replace('-', '+') }}|{{ ('-' ~ c).replace('b', '#') }}", "+[Ab é]|-[A]#[ é]"),
        ("{{ l|join('-') }}", "[x]-[y]"),
        ("{{ '-'.join(l) }}", "[x]-[y]"),
        ("{{ c.join(['1', '2']) }}", "1[Ab é]2"),
        ("{{ l }}", "['[x]', '[y]']"),
        ("{{ d }}", r#"{'[k\n]': '[v"]'}"#),
        ("{{ d|tojson }}", r#"{"[k\n]": "[v\"]"}"#),
        ("{{ l|tojson(indent=1) }}", "[\n \"[x]\",\n \"[y]\"\n]"),
        ("{{ '<%s|%5s>' % (c, 'x') }}", "<[Ab é]|    x>"),
        ("{{ '<{}|{:>6}>'.format(c, c) }}", "<[Ab é]|  [Ab é]>"),
        ("{{ (c ~ '%s') % 'x' }}", "[Ab é]x"),
        ("{{ c.split(' ')|join('_') }}{{ c|list|join('.') }}", "[Ab]_[éA].[b].[ ].[é]"),
        ("{{ c|center(8) }}{{ c|indent(2, first=true) }}", "  [Ab é]    [Ab é]"),
        ("{{ c|e }}{{ ('<' ~ c)|e }}", "[Ab é]&lt;[Ab é]"),
        ("{{ c|reverse }}{{ c|first }}{{ c|trim }}{{ c|truncate(3, true, '..', 0) }}", "[é bAAAb éA].."),
        ("{% set x %}<{{ c }}>{% endset %}{{ x }}", "<[Ab é]>"),
        ("{% macro m(a) %}({{ a }}){% endmacro %}{{ m(c) }}{{ m('z') }}", "([Ab é])(z)"),
        ("{% filter upper %}a{{ c }}{% endfilter %}", "A[AB É]"),
        ("{% for k, v in d|dictsort %}{{ k }}={{ v }}{% endfor %}", "[k\n]=[v\"]"),
        ("{{ c * 2 }}{{ n }}{{ c|length }}{{ c == 'Ab é' }}", "[Ab éAb é]74True"),
        ("{{ (c ~ t).partition(' ') }}", "('[Ab]', '[ ]', '[é]<s>')"),
        ("{{ c|urlencode }}{{ (c ~ '/')|wordwrap(3) }}", "[Ab%20%C3%A9Ab]\n[é]/"),
        ("{{ namespace(x=c).x }}{{ dict(a=c).a }}{{ cycler(c).next() }}{{ joiner(c)() }}", "[Ab éAb éAb é]"),
        ("{{ {'<s>': 1}|list|first }}{{ {c: 1}|first }}", "<s>[Ab é]"),
        ("{{ strftime_now is defined }}{{ c|string|safe }}", "False[Ab é]"),
    ];
    for (source, expected) in cases {
        assert_eq!(marked(source), expected, "{source}");
    }
}
