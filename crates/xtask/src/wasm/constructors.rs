//! A guard for the cheapest call from JavaScript.
//!
//! CubeCL registers itself through constructors. Unless the module calls them once itself, the linker wraps every export
//! so that they all run again at each call from JavaScript: a plain operation then costs milliseconds, not microseconds.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use wasmparser::{KnownCustom, Name, Operator, Parser, Payload};

const CONSTRUCTORS: &str = "__wasm_call_ctors";
/// The linker's ending for a wrapped export.
const WRAPPED: &str = ".command_export";

/// Fails if more than one function calls the constructors, or if an export is wrapped.
pub fn check(module: &[u8]) -> Result<()> {
    let names = function_names(module).context("the module's sections cannot be read")?;
    if names.is_empty() {
        bail!(
            "the module has no function names, so its constructors cannot be checked: keep `strip` off in the profile"
        );
    }
    let mut wrapped: Vec<&str> = names.values().filter_map(|name| name.strip_suffix(WRAPPED)).collect();
    wrapped.sort_unstable();
    let constructors = names.iter().find(|(_, name)| name.as_str() == CONSTRUCTORS).map(|(index, _)| *index);
    let callers = match constructors {
        Some(index) => callers_of(module, index)?,
        None => 0,
    };
    if !wrapped.is_empty() || callers > 1 {
        bail!(
            "every call from JavaScript would run all constructors again: {callers} functions call {CONSTRUCTORS}, and \
             {} exports are wrapped (such as {}). Call {CONSTRUCTORS} once in the #[wasm_bindgen(start)] function of \
             inshore-wasm; then the linker adds no wrappers",
            wrapped.len(),
            wrapped.first().unwrap_or(&"none by name"),
        );
    }
    Ok(())
}

fn function_names(module: &[u8]) -> Result<HashMap<u32, String>> {
    let mut names = HashMap::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CustomSection(section) = payload? else { continue };
        let KnownCustom::Name(subsections) = section.as_known() else { continue };
        for subsection in subsections {
            if let Name::Function(map) = subsection? {
                for naming in map {
                    let naming = naming?;
                    names.insert(naming.index, naming.name.to_owned());
                }
            }
        }
    }
    Ok(names)
}

/// How many functions contain a direct call of the function with this index.
fn callers_of(module: &[u8], index: u32) -> Result<usize> {
    let mut callers = 0;
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload? {
            let mut operators = body.get_operators_reader()?;
            while !operators.eof() {
                if matches!(operators.read()?, Operator::Call { function_index } if function_index == index) {
                    callers += 1;
                    break;
                }
            }
        }
    }
    Ok(callers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("valid text format")
    }

    const CALLED_ONCE: &str = r#"(module
        (import "env" "log" (func $log))
        (func $__wasm_call_ctors call $log)
        (func $start call $__wasm_call_ctors)
        (func $step (export "step") call $log)
        (start $start))"#;

    #[test]
    fn one_caller_is_fine() {
        check(&module(CALLED_ONCE)).expect("constructors called once");
    }

    #[test]
    fn a_module_without_constructors_is_fine() {
        check(&module("(module (func $step (export \"step\")))")).expect("nothing to call");
    }

    #[test]
    fn wrapped_exports_are_refused() {
        let error = check(&module(
            r#"(module
            (func $__wasm_call_ctors)
            (func $step)
            (func $step.command_export (export "step") call $__wasm_call_ctors call $step))"#,
        ))
        .expect_err("the export is wrapped");
        assert!(error.to_string().contains("such as step"), "{error}");
    }

    #[test]
    fn several_callers_are_refused_even_under_other_names() {
        let text = CALLED_ONCE.replace("(func $step (export \"step\") call $log)", "(func $a call $__wasm_call_ctors)");
        let error = check(&module(&text)).expect_err("two callers");
        assert!(error.to_string().contains("2 functions call"), "{error}");
    }

    #[test]
    fn a_module_without_names_cannot_be_checked() {
        let error = check(&module("(module (func (export \"step\")))")).expect_err("no names");
        assert!(error.to_string().contains("no function names"), "{error}");
    }

    #[test]
    fn damaged_modules_are_errors() {
        let bytes = module(CALLED_ONCE);
        assert!(check(&bytes[..bytes.len() / 2]).is_err());
        assert!(check(b"not wasm").is_err());
    }
}
