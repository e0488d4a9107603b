//! The deferral policy for JavaScript: JSON in, JSON out. The language is `web/src/route/types.ts`.

#![cfg(target_family = "wasm")]

use inshore_route::{RouteConfig, RouteEvent};
use wasm_bindgen::prelude::*;

/// The policy's state.
#[wasm_bindgen]
pub struct Router(inshore_route::Router);

#[wasm_bindgen]
impl Router {
    /// Takes the constants as a JSON object; those left out have their defaults. Throws an `Error` that names what is wrong.
    #[wasm_bindgen(constructor)]
    pub fn new(config_json: &str) -> Result<Router, JsError> {
        let config: RouteConfig = serde_json::from_str(config_json).map_err(error)?;
        inshore_route::Router::new(config).map(Self).map_err(error)
    }

    /// Takes one event as JSON and returns the orders as a JSON array. Throws an `Error` where the event is none.
    pub fn push(&mut self, now_ms: f64, event_json: &str) -> Result<String, JsError> {
        let event: RouteEvent = serde_json::from_str(event_json).map_err(error)?;
        serde_json::to_string(&self.0.push(now_ms, event)).map_err(error)
    }
}

/// Every constant with its default, as JSON.
#[wasm_bindgen(js_name = defaultConfig)]
pub fn default_config() -> Result<String, JsError> {
    serde_json::to_string(&RouteConfig::default()).map_err(error)
}

fn error(cause: impl core::fmt::Display) -> JsError {
    JsError::new(&cause.to_string())
}
