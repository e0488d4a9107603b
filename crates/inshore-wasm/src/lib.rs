//! The engine for a browser's worker: the wasm-bindgen face of `inshore-model`, and nothing else.
//!
//! TypeScript sees the classes `EngineDevice`, `Engine` and `Generation`; errors arrive as `{ code, message, cause }`.

#![cfg(target_family = "wasm")]

mod engine;
mod error;
mod probe;
mod request;
mod source;
#[cfg(feature = "threads")]
mod threads;

use wasm_bindgen::prelude::*;

#[allow(unsafe_code, reason = "names the function that the linker defines")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs the module's constructors, once. CubeCL registers its intermediate representation through constructors; unless
/// the program calls them itself, the linker wraps every export so that they run again at every call from JavaScript.
#[wasm_bindgen(start)]
#[allow(unsafe_code, reason = "calls the module's constructors once")]
fn start() {
    // SAFETY: the linker defines the function in every module with constructors; nothing else calls it, and it runs
    // before any other export because `start` is part of the module's instantiation.
    unsafe { __wasm_call_ctors() };
    std::panic::set_hook(Box::new(|info| {
        let message = JsValue::from(info.to_string());
        web_sys::console::error_1(&message);
        // The trap that follows has no message, so the worker reads it here (`web/src/engine/crash.ts`).
        let _ = js_sys::Reflect::set(&js_sys::global(), &JsValue::from("inshorePanic"), &message);
    }));
}

/// Size of the linear memory in bytes. It never shrinks: this is also its peak.
#[wasm_bindgen(js_name = memoryBytes)]
pub fn memory_bytes() -> f64 {
    (core::arch::wasm32::memory_size(0) * 65_536) as f64
}
