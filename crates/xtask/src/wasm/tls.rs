//! A repair of modules with shared memory that have no thread-local variables.
//!
//! The linker gives their thread-local storage the alignment 0, and wasm-bindgen asks the allocator for storage so
//! aligned when a thread starts. There is no such alignment: the module would trap.

use anyhow::{Context, Result, bail};
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef};

const ALIGN: &str = "__tls_align";

/// Makes an alignment of 0 one of 1. Modules without shared memory export none and stay as they are.
pub fn repair_alignment(module: &mut [u8]) -> Result<()> {
    let Some(place) = zero_alignment(module)? else { return Ok(()) };
    // `i32.const 0; end`: the constant is one byte.
    module[place] = 1;
    Ok(())
}

/// Where the constant 0 is.
fn zero_alignment(module: &[u8]) -> Result<Option<usize>> {
    let (mut imported, mut globals, mut align) = (0, Vec::new(), None);
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("the module's sections cannot be read")? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += usize::from(matches!(import?.ty, TypeRef::Global(_)));
                }
            }
            Payload::GlobalSection(section) => globals = section.into_iter().collect::<Result<_, _>>()?,
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Global && export.name == ALIGN {
                        align = Some(export.index as usize);
                    }
                }
            }
            _ => {}
        }
    }
    let Some(index) = align else { return Ok(None) };
    let global = index.checked_sub(imported).and_then(|own| globals.get(own));
    let global = global.with_context(|| format!("{ALIGN} is not a global of the module's own"))?;
    let Operator::I32Const { value } = global.init_expr.get_operators_reader().read()? else {
        bail!("{ALIGN} is not a constant");
    };
    Ok((value == 0).then(|| global.init_expr.get_binary_reader().original_position() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(text: &str) -> (Vec<u8>, Vec<u8>) {
        let module = wat::parse_str(text).expect("a module");
        let mut repaired = module.clone();
        repair_alignment(&mut repaired).expect("a sound module");
        (module, repaired)
    }

    #[test]
    fn an_alignment_of_0_becomes_1() {
        let text = |align: u32| {
            format!(
                r#"(module (import "a" "b" (global i32)) (global i32 (i32.const 0)) (global i32 (i32.const {align}))
                    (export "__tls_size" (global 1)) (export "__tls_align" (global 2)))"#
            )
        };
        let expected = wat::parse_str(text(1)).expect("a module");
        assert_eq!(repaired(&text(0)).1, expected);
        assert_eq!(repaired(&text(1)).1, expected);
    }

    #[test]
    fn other_modules_stay_as_they_are() {
        let (module, repaired) = repaired("(module (global (export \"__tls_size\") i32 (i32.const 0)))");
        assert_eq!(module, repaired);
    }
}
