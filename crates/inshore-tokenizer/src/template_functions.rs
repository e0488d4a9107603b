//! What chat templates may call beyond Jinja itself, as in Hugging Face's `apply_chat_template`.

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// A day, for templates that write the date of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// As in 2026.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Adds the functions and filters that need no date.
pub(crate) fn install(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_filter("tojson", to_json);
}

/// Adds `strftime_now`, which takes a Python date format.
pub(crate) fn install_date(environment: &mut Environment<'static>, date: Date) {
    environment.add_function("strftime_now", move |format: &str| date.format(format));
}

impl Date {
    /// Days since a fixed day (proleptic Gregorian).
    fn days(self) -> i32 {
        // Years begin in March here, so that the leap day is the last; 153 days make five months from March.
        let (year, month) = (i32::from(self.year), i32::from(self.month.clamp(1, 12)));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leap_days + (153 * month + 2) / 5 + i32::from(self.day)
    }

    /// The date in a Python format; it is midnight. Unknown directives are written as they are.
    fn format(self, format: &str) -> String {
        let month = MONTHS[usize::from(self.month.clamp(1, 12)) - 1];
        // 1 March 2000 was a Wednesday.
        let known = Self { year: 2000, month: 3, day: 1 }.days();
        let weekday = WEEKDAYS[(self.days() - known + 3).rem_euclid(7) as usize];
        let mut out = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            match letters.next() {
                Some('Y') => out.push_str(&self.year.to_string()),
                Some('y') => out.push_str(&format!("{:02}", self.year % 100)),
                Some('m') => out.push_str(&format!("{:02}", self.month)),
                Some('d') => out.push_str(&format!("{:02}", self.day)),
                Some('e') => out.push_str(&format!("{:2}", self.day)),
                Some('B') => out.push_str(month),
                Some('b' | 'h') => out.push_str(&month[..3]),
                Some('A') => out.push_str(weekday),
                Some('a') => out.push_str(&weekday[..3]),
                Some('H' | 'M' | 'S') => out.push_str("00"),
                Some('F') => out.push_str(&self.format("%Y-%m-%d")),
                Some('T') => out.push_str("00:00:00"),
                Some('%') => out.push('%'),
                Some(other) => out.extend(['%', other]),
                None => out.push('%'),
            }
        }
        out
    }
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)`: unlike Jinja's own filter it escapes no HTML.
fn to_json(value: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    // Accepted as they are: keys keep their order and text its letters.
    let _: Option<bool> = kwargs.get("ensure_ascii")?;
    let _: Option<bool> = kwargs.get("sort_keys")?;
    kwargs.assert_all_used()?;
    let mut bytes = Vec::new();
    let written = match indent {
        Some(indent) => {
            let indent = " ".repeat(indent.min(16));
            value
                .serialize(&mut Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(indent.as_bytes())))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut bytes, PythonFormatter)),
    };
    let failed = |reason: String| Error::new(ErrorKind::BadSerialization, reason);
    written.map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

/// A space after commas and colons, as Python writes them.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        CompactFormatter.begin_object_value(writer)?;
        writer.write_all(b" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_and_formats() {
        let written = |year, month, day| Date { year, month, day }.format("%A %a %d %B %y %F %e %q%");
        assert_eq!(written(2026, 7, 4), "Saturday Sat 04 July 26 2026-07-04  4 %q%");
        assert_eq!(written(2024, 2, 29), "Thursday Thu 29 February 24 2024-02-29 29 %q%");
        assert_eq!(written(1999, 12, 31), "Friday Fri 31 December 99 1999-12-31 31 %q%");
        assert_eq!(written(2000, 3, 1), "Wednesday Wed 01 March 00 2000-03-01  1 %q%");
    }
}
