use inshore_tokenizer::ChatTemplate;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let d: usize = a[2].parse().unwrap();
    let s = match a[1].as_str() {
        "paren" => format!("{{{{ {}1{} }}}}", "(".repeat(d), ")".repeat(d)),
        "not" => format!("{{{{ {}1 }}}}", "not ".repeat(d)),
        "neg" => format!("{{{{ {}1 }}}}", "-".repeat(d)),
        "list" => format!("{{{{ {}1{} }}}}", "[".repeat(d), "]".repeat(d)),
        "if" => "{% if 1 %}".repeat(d) + &"{% endif %}".repeat(d),
        "elif" => "{% if 1 %}".to_string() + &"{% elif 1 %}".repeat(d) + "{% endif %}",
        "attr" => format!("{{{{ messages{} }}}}", ".a".repeat(d)),
        "plus" => format!("{{{{ 1{} }}}}", "+1".repeat(d)),
        "and" => format!("{{{{ 1{} }}}}", " and 1".repeat(d)),
        "filter" => format!("{{{{ 1{} }}}}", "|int".repeat(d)),
        "call" => format!("{{{{ messages{} }}}}", "()".repeat(d)),
        "item" => format!("{{{{ messages{} }}}}", "[0]".repeat(d)),
        "slice" => format!("{{{{ messages{} }}}}", "[:]".repeat(d)),
        "tern" => format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(d)),
        "test" => format!("{{{{ 1{} }}}}", " is defined".repeat(d)),
        "pow" => format!("{{{{ 1{} }}}}", "**1".repeat(d)),
        "cmp" => format!("{{{{ 1{} }}}}", "<1".repeat(d)),
        "concat" => format!("{{{{ 1{} }}}}", "~1".repeat(d)),
        "setcat" => format!("{{% set x = [] %}}{}{{{{ x|length }}}}", "{% set x = x + [1] %}".repeat(d)),
        "setnest" => format!("{{% set x = [] %}}{}{{{{ x }}}}", "{% set x = [x] %}".repeat(d)),
        "filtersec" => "{% filter upper %}".repeat(d) + &"{% endfilter %}".repeat(d),
        "unpack" => format!("{{% for {}a{} in [] %}}{{% endfor %}}", "(".repeat(d), ")".repeat(d)),
        "nsnest" => format!(
            "{{% set ns = namespace(x=1) %}}{{% for i in range({d}) %}}{{% set ns.x = [ns.x] %}}{{% endfor %}}{{{{ ns.x }}}}"
        ),
        "nsself" => "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}".to_string(),
        "nsjson" => format!(
            "{{% set ns = namespace(x=1) %}}{{% for i in range({d}) %}}{{% set ns.x = [ns.x] %}}{{% endfor %}}{{{{ ns.x|tojson }}}}"
        ),
        "nscmp" => format!(
            "{{% set ns = namespace(x=1) %}}{{% for i in range({d}) %}}{{% set ns.x = [ns.x] %}}{{% endfor %}}{{{{ ns.x == [ns.x] }}}}"
        ),
        "nsadd" => format!(
            "{{% set ns = namespace(x=[1]) %}}{{% for i in range({d}) %}}{{% set ns.x = ns.x + [1] %}}{{% endfor %}}{{{{ ns.x|length }}}}"
        ),
        "recmac" => "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}".into(),
        "recloop" => "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}".into(),
        "caller" => "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}".into(),
        o => panic!("{o}"),
    };
    let stack: usize = a.get(3).map_or(1 << 20, |s| s.parse().unwrap());
    let r = std::thread::Builder::new()
        .stack_size(stack)
        .spawn(move || {
            let t = std::time::Instant::now();
            let r = ChatTemplate::new(&s).and_then(|t| t.render(&[], true));
            println!("{:?} {:.80?}", t.elapsed(), r.map(|t| t.len()).map_err(|e| e.to_string()));
        })
        .unwrap()
        .join();
    std::process::exit(if r.is_ok() { 0 } else { 1 });
}
