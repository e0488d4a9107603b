//! What the scripted servers send; `web/src/store/scripted-server.testing.ts` makes the same bytes.

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Values of the tensor in the models.
const VALUES: u64 = 175_000;

/// Bodies by name: models of this file, and texts of the table.
pub fn all(table: &Value) -> HashMap<String, Vec<u8>> {
    let texts = table["bodies"].as_object().expect("the table has bodies");
    let mut bodies: HashMap<String, Vec<u8>> =
        texts.iter().map(|(name, text)| (name.clone(), text.as_str().expect("a text").as_bytes().to_vec())).collect();
    for (name, bytes) in [
        ("file", model(1)),
        ("other", model(2)),
        ("short_tensors", Header { dims: vec![2 * VALUES], ..Header::default() }.with_data(1)),
        ("many_entries", Header { entries: 1_000_000, ..Header::default() }.with_data(1)),
        ("absurd_string", Header { key_bytes: 1 << 40, ..Header::default() }.with_data(1)),
        ("absurd_tensor", Header { dims: vec![1 << 62, 1 << 62], ..Header::default() }.with_data(1)),
        ("unknown_value", Header { value_type: 99, ..Header::default() }.with_data(1)),
    ] {
        bodies.insert(name.to_owned(), bytes);
    }
    bodies
}

/// A sound model file; another `version` has the same size and other data.
pub fn model(version: u8) -> Vec<u8> {
    Header::default().with_data(version)
}

/// The header of a model with one F32 tensor, with numbers that may lie.
struct Header {
    entries: u64,
    key_bytes: u64,
    value_type: u32,
    dims: Vec<u64>,
}

impl Default for Header {
    fn default() -> Self {
        Self { entries: 1, key_bytes: 20, value_type: 8, dims: vec![VALUES] }
    }
}

impl Header {
    fn with_data(&self, version: u8) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(self.key_bytes.to_le_bytes());
        bytes.extend(b"general.architecture");
        bytes.extend(self.value_type.to_le_bytes());
        bytes.extend(5u64.to_le_bytes());
        bytes.extend(b"llama");
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(b"w");
        bytes.extend((self.dims.len() as u32).to_le_bytes());
        self.dims.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend((0..VALUES as usize * 4).map(|i| (i * 31 + (i >> 8) * 17 + usize::from(version) * 101) as u8));
        bytes
    }
}

/// `bytes` in gzip, not made smaller.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let mut crc = !0u32;
    for &byte in bytes {
        crc = (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()));
    }
    out.extend((!crc).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
