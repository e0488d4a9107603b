//! Keeps a graphics driver's complaint about a missing desktop off standard error.

/// Tells the driver that there is no Wayland display where there can be none.
///
/// Mesa's device-selection layer asks the Wayland compositor which GPU it uses. Without `XDG_RUNTIME_DIR`, as on most
/// servers, the Wayland library prints `error: XDG_RUNTIME_DIR is invalid or not set in the environment` for each such
/// question, so every command that looks for a GPU seems to fail. An absolute `WAYLAND_DISPLAY` makes the library try that
/// socket instead and give up without a word.
///
/// Must be called before the program starts a thread.
#[cfg(all(target_os = "linux", feature = "gpu"))]
#[expect(unsafe_code, reason = "the environment can only be changed in an unsafe block")]
pub fn silence() {
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR");
    let display = std::env::var_os("WAYLAND_DISPLAY");
    if let Some(display) = stand_in(runtime_dir.as_deref(), display.as_deref()) {
        // SAFETY: main calls this first, so no other thread reads or changes the environment meanwhile.
        unsafe { std::env::set_var("WAYLAND_DISPLAY", display) };
    }
}

/// Other systems and builds without a GPU ask no Wayland compositor.
#[cfg(not(all(target_os = "linux", feature = "gpu")))]
pub const fn silence() {}

/// Returns a display name without a compositor, if neither variable names a real one.
#[cfg(any(all(target_os = "linux", feature = "gpu"), test))]
fn stand_in(runtime_dir: Option<&std::ffi::OsStr>, display: Option<&std::ffi::OsStr>) -> Option<&'static str> {
    let is_absolute =
        |path: Option<&std::ffi::OsStr>| path.is_some_and(|path| path.as_encoded_bytes().starts_with(b"/"));
    (!is_absolute(runtime_dir) && !is_absolute(display)).then_some("/nonexistent/wayland")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::stand_in;

    #[test]
    fn a_session_with_a_compositor_keeps_its_display() {
        let of = |runtime_dir: Option<&str>, display: Option<&str>| {
            stand_in(runtime_dir.map(OsStr::new), display.map(OsStr::new)).is_some()
        };
        assert!(of(None, None) && of(Some(""), None) && of(Some("run/user"), Some("wayland-1")));
        assert!(!of(Some("/run/user/1000"), None) && !of(None, Some("/tmp/wayland-0")));
    }
}
