use inshore_gguf::{ReadAt, ReadError};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::error::message_of;

#[wasm_bindgen]
extern "C" {
    /// Random access to a model's bytes, implemented in JavaScript: OPFS, a `Blob`, HTTP ranges.
    #[wasm_bindgen(typescript_type = "ByteSource")]
    pub type ByteSource;

    #[wasm_bindgen(method, getter)]
    fn size(this: &ByteSource) -> f64;

    #[wasm_bindgen(method, catch)]
    fn read(this: &ByteSource, offset: f64, length: f64) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(typescript_custom_section)]
const BYTE_SOURCE: &str = r"
/** Random access to a model's bytes. `read` gives exactly `length` bytes or fails. */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array> | Uint8Array;
}
";

impl ReadAt for ByteSource {
    fn len(&self) -> u64 {
        self.size() as u64
    }

    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError> {
        let failed = |exception: JsValue| ReadError::io(offset, message_of(&exception));
        let answer = self.read(offset as f64, buf.len() as f64).map_err(failed)?;
        let answer = JsFuture::from(Promise::resolve(&answer)).await.map_err(failed)?;
        let bytes: Uint8Array =
            answer.dyn_into().map_err(|_| ReadError::io(offset, "the source gave no Uint8Array"))?;
        if bytes.length() as usize != buf.len() {
            let (wanted, got) = (buf.len() as u64, u64::from(bytes.length()));
            return Err(ReadError::Short { offset, wanted, got });
        }
        bytes.copy_to(buf);
        Ok(())
    }
}
