use inshore_model::ModelError;
use inshore_protocol::{ErrorCode, RequestError};
use js_sys::{Error, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// The one conversion of errors at this edge: `{ code, message, cause }`.
pub fn to_js(error: &ModelError) -> JsValue {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    object(error.error_code(), &error.to_string(), cause.as_deref())
}

/// An error of this edge itself: an argument of the wrong shape.
pub fn invalid_argument(message: &str) -> JsValue {
    object(ErrorCode::InvalidArgument, message, None)
}

/// A request that no engine can answer.
pub fn refused(error: &RequestError) -> JsValue {
    object(error.code, &error.message, None)
}

/// What a JavaScript exception says.
pub fn message_of(exception: &JsValue) -> String {
    match exception.dyn_ref::<Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{exception:?}"),
    }
}

fn object(code: ErrorCode, message: &str, cause: Option<&str>) -> JsValue {
    let object = Object::new();
    for (key, value) in [("code", Some(code.as_str())), ("message", Some(message)), ("cause", cause)] {
        if let Some(value) = value {
            // Setting a property of a plain object does not fail.
            let _ = Reflect::set(&object, &key.into(), &value.into());
        }
    }
    object.into()
}
