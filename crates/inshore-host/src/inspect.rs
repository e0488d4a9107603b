//! `inshore inspect FILE`: what a GGUF file holds, and why it would not load. Only the header is read, and any file whose header is
//! sound is shown.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use indicatif::HumanBytes;
use inshore_gguf::{Array, FileSource, ReadAt, Survey, TensorEntry, Value};
use inshore_model::{FileCheck, KeyUse, ModelError, use_of_key};
use serde::Serialize;

use crate::cli::InspectArgs;
use crate::output;

/// Characters of a string and elements of an array that are shown.
const SHOWN_CHARS: usize = 72;
const SHOWN_ELEMENTS: usize = 6;

#[derive(Debug, Serialize)]
struct Report<'a> {
    version: u32,
    file_bytes: u64,
    data_offset: u64,
    name: Option<&'a str>,
    architecture: Option<&'a str>,
    parameters: u64,
    tensor_count: usize,
    /// Bytes of the tensors whose types have known sizes.
    tensor_bytes: u64,
    tensors_by_type: BTreeMap<String, TypeShare>,
    metadata: BTreeMap<&'a str, String>,
    /// Keys that inshore does not know and ignores.
    unknown_keys: Vec<&'a str>,
    /// Why the file would not load; empty for a model that does.
    refusals: Vec<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tensors: Option<Vec<TensorLine<'a>>>,
}

#[derive(Debug, Default, Serialize)]
struct TypeShare {
    count: usize,
    values: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct TensorLine<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: String,
    shape: &'a [u64],
    offset: u64,
    bytes: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// If the file cannot be read or is no sound GGUF.
pub fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let file = File::open(&args.file).with_context(|| format!("{shown} cannot be opened; check the path"))?;
    let source = FileSource::new(file)?;
    let survey =
        pollster::block_on(Survey::read(&source)).with_context(|| format!("{shown} has no sound GGUF header"))?;
    let report = Report::new(&survey, source.len(), args.tensors);
    output::print_with(|out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)
        } else {
            report.print(out)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

impl<'a> Report<'a> {
    fn new(survey: &'a Survey, file_bytes: u64, with_tensors: bool) -> Self {
        let mut tensors_by_type = BTreeMap::<_, TypeShare>::new();
        for tensor in &survey.tensors {
            let share = tensors_by_type.entry(tensor.type_name()).or_default();
            share.count += 1;
            share.values = share.values.saturating_add(tensor.values());
            share.bytes = share.bytes.saturating_add(tensor.bytes().unwrap_or(0));
        }
        let string = |key| survey.metadata.string(key).ok().flatten();
        let architecture = string("general.architecture");
        let is_unknown = |key: &&str| use_of_key(key, architecture.unwrap_or_default()) == KeyUse::Unknown;
        Self {
            version: survey.version,
            file_bytes,
            data_offset: survey.data_offset,
            name: string("general.name"),
            architecture,
            parameters: tensors_by_type.values().fold(0, |sum: u64, share| sum.saturating_add(share.values)),
            tensor_count: survey.tensors.len(),
            tensor_bytes: tensors_by_type.values().fold(0, |sum: u64, share| sum.saturating_add(share.bytes)),
            tensors_by_type,
            metadata: survey.metadata.iter().map(|(key, value)| (key, summary(value))).collect(),
            unknown_keys: survey.metadata.iter().map(|(key, _)| key).filter(is_unknown).collect(),
            refusals: refusals(survey),
            tensors: with_tensors
                .then(|| survey.tensors.iter().map(|tensor| TensorLine::new(tensor, survey.data_offset)).collect()),
        }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "GGUF version {}, {} bytes", self.version, self.file_bytes)?;
        writeln!(out, "name          {}", printable(self.name.unwrap_or("(none)")))?;
        writeln!(out, "architecture  {}", printable(self.architecture.unwrap_or("(none)")))?;
        writeln!(out, "parameters    {:.1} M", self.parameters as f64 / 1e6)?;
        writeln!(out, "tensors       {}, {}", self.tensor_count, HumanBytes(self.tensor_bytes))?;
        for (kind, share) in &self.tensors_by_type {
            let TypeShare { count, values, bytes } = share;
            writeln!(
                out,
                "  {kind:<6} {count:>5} tensors {:>10.1} M values {:>12}",
                *values as f64 / 1e6,
                HumanBytes(*bytes).to_string()
            )?;
        }
        writeln!(out, "metadata")?;
        for (key, value) in &self.metadata {
            let mark = if self.unknown_keys.contains(key) { "  (unknown, ignored)" } else { "" };
            writeln!(out, "  {} = {value}{mark}", printable(key))?;
        }
        for tensor in self.tensors.iter().flatten() {
            let TensorLine { name, kind, shape, offset, bytes } = tensor;
            let bytes = bytes.map_or_else(|| "unknown size".to_owned(), |bytes| format!("{bytes} bytes"));
            writeln!(out, "{:<40} {kind:<6} {shape:?} at {offset}, {bytes}", printable(name))?;
        }
        for Refusal { code, message } in &self.refusals {
            writeln!(out, "does not load: {} ({code})", printable(message))?;
        }
        Ok(())
    }
}

impl<'a> TensorLine<'a> {
    fn new(tensor: &'a TensorEntry, data_offset: u64) -> Self {
        let offset = data_offset.saturating_add(tensor.relative_offset);
        Self { name: &tensor.name, kind: tensor.type_name(), shape: &tensor.shape, offset, bytes: tensor.bytes() }
    }
}

/// Returns every reason in the header why the file would not load.
fn refusals(survey: &Survey) -> Vec<Refusal> {
    let refusal = |code, message| Refusal { code, message };
    let found = match &survey.checked {
        Ok(gguf) => FileCheck::of(gguf).refusals,
        Err(error) => return vec![refusal(ModelError::code_of_gguf(error), error.to_string())],
    };
    let mut refusals: Vec<Refusal> = Vec::new();
    for error in found {
        let message = error.to_string();
        // Two checks may find the same fault.
        if refusals.iter().all(|known| known.message != message) {
            refusals.push(refusal(error.code(), message));
        }
    }
    refusals
}

/// A value in a line.
fn summary(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::F32(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(array) => array_summary(array),
        integer => integer.as_integer().map_or_else(String::new, |number| number.to_string()),
    }
}

fn array_summary(array: &Array) -> String {
    fn some<T>(elements: &[T], show: impl Fn(&T) -> String) -> String {
        let shown: Vec<_> = elements.iter().take(SHOWN_ELEMENTS).map(show).collect();
        let more = if elements.len() > SHOWN_ELEMENTS { ", …" } else { "" };
        format!("[{}{more}] ({} elements)", shown.join(", "), elements.len())
    }
    match array {
        Array::U8(a) => some(a, u8::to_string),
        Array::I8(a) => some(a, i8::to_string),
        Array::U16(a) => some(a, u16::to_string),
        Array::I16(a) => some(a, i16::to_string),
        Array::U32(a) => some(a, u32::to_string),
        Array::I32(a) => some(a, i32::to_string),
        Array::F32(a) => some(a, f32::to_string),
        Array::Bool(a) => some(a, bool::to_string),
        Array::String(a) => some(a, |text| quoted(text)),
        Array::Array(a) => some(a, |inner| format!("{} of {}", inner.type_name(), inner.len())),
        Array::U64(a) => some(a, u64::to_string),
        Array::I64(a) => some(a, i64::to_string),
        Array::F64(a) => some(a, f64::to_string),
    }
}

fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if cut.len() < text.len() { format!("… ({} bytes)", text.len()) } else { String::new() };
    format!("\"{}\"{more}", printable(&cut))
}

/// A file's strings must not move the cursor of whoever looks at them.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
