//! What a run holds is given back, also where values refer to each other. In a process of its own, as it looks at the process's memory.

use inshore_jinja::{Input, Options, Template};

fn variables() -> Vec<(&'static str, Input)> {
    vec![("l", Input::content(serde_json::json!([1, 2, 3])))]
}

#[test]
fn what_a_run_held_is_given_back() {
    // Cycles of references; a leak would show as growth.
    let source = "{% set ns = namespace(big='x' * 1000000) %}{% set ns.me = [ns] %}{% macro m() %}{{ ns.big|length }}{% endmacro %}\
        {% set ns.m = m %}{% for a in l %}{% call(x) m2() %}{{ a }}{% endcall %}{% endfor %}{% macro m2() %}{% endmacro %}";
    let template = Template::new(source).expect("compiles");
    let before = resident_pages();
    for _ in 0..300 {
        let _ = template.render(&variables(), &Options::default());
    }
    if let (Some(before), Some(after)) = (before, resident_pages()) {
        assert!(after < before + 25_000, "{before} pages became {after}");
    }
}

fn resident_pages() -> Option<u64> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()
}
