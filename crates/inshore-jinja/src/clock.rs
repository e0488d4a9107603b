//! `strftime_now`: a local time that the caller supplies, in the formats of C's `strftime`.

use crate::error::{Error, ErrorKind, Result};

/// A moment on the user's clock.
///
/// Weekday and day of the year follow from the date. Python writes nothing for `%Z` and `%z` here, because Transformers
/// formats a time without a zone; the offset is needed for `%s` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// As in 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59; 60 in a leap second.
    pub second: u8,
    /// 0 to 999,999.
    pub microsecond: u32,
    /// Local time minus UTC, in seconds.
    pub utc_offset_seconds: i32,
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
/// The widest field; a wider one is refused.
const MAX_WIDTH: usize = 100;

/// Days from 1970-01-01 to a date (proleptic Gregorian).
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last; 153 days make five months from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

/// How a number is padded.
#[derive(Clone, Copy)]
struct Field {
    flag: Option<char>,
    width: Option<usize>,
}

impl LocalTime {
    /// The local time at `unix_microseconds` after 1970-01-01 UTC, where local time is `utc_offset_seconds` ahead of UTC.
    pub fn from_unix(unix_microseconds: i64, utc_offset_seconds: i32) -> Self {
        let seconds = unix_microseconds.div_euclid(1_000_000).saturating_add(i64::from(utc_offset_seconds));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Civil date from days, with years from March.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let (year, month) = (era * 400 + year_of_era, if month < 10 { month + 3 } else { month - 9 });
        Self {
            year: i32::try_from(year + i64::from(month <= 2)).unwrap_or(9999),
            month: month as u8,
            day: (day_of_year - (153 * ((month + 9) % 12) + 2) / 5 + 1) as u8,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            microsecond: unix_microseconds.rem_euclid(1_000_000) as u32,
            utc_offset_seconds,
        }
    }

    fn days(&self) -> i64 {
        days_from_epoch(self.year.into(), self.month.into(), self.day.into())
    }

    /// 0 for Sunday.
    fn weekday(&self) -> usize {
        // 1970-01-01 was a Thursday.
        (self.days() + 4).rem_euclid(7) as usize
    }

    /// 1 for the first of January.
    fn day_of_year(&self) -> i64 {
        self.days() - days_from_epoch(self.year.into(), 1, 1) + 1
    }

    /// Year and week by ISO 8601.
    fn iso_week(&self) -> (i64, i64) {
        // The week belongs to the year of its Thursday.
        let weekday = (self.weekday() as i64 + 6) % 7;
        let thursday = self.days() - weekday + 3;
        let mut year = i64::from(self.year);
        if thursday < days_from_epoch(year, 1, 1) {
            year -= 1;
        } else if thursday >= days_from_epoch(year + 1, 1, 1) {
            year += 1;
        }
        (year, (thursday - days_from_epoch(year, 1, 1)) / 7 + 1)
    }

    fn hour12(&self) -> i64 {
        (i64::from(self.hour) + 11) % 12 + 1
    }

    fn month_name(&self) -> &'static str {
        MONTHS[usize::from(self.month.clamp(1, 12)) - 1]
    }

    /// The time in a format of `strftime`, in the C locale. Unknown directives are written as they are.
    pub(crate) fn format(&self, format: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let length = self.directive(rest, &mut out)?;
            rest = &rest[length..];
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Writes the directive at the beginning of `text`, and gives its length.
    fn directive(&self, text: &str, out: &mut String) -> Result<usize> {
        let mut at = 1;
        let mut field = Field { flag: None, width: None };
        let mut upper = false;
        let mut swap = false;
        let letter_at = |at: usize| text[at..].chars().next();
        while let Some(flag) = letter_at(at).filter(|flag| matches!(flag, '_' | '-' | '0' | '^' | '#')) {
            match flag {
                '^' => upper = true,
                '#' => swap = true,
                flag => field.flag = Some(flag),
            }
            at += 1;
        }
        while let Some(digit) = letter_at(at).and_then(|digit| digit.to_digit(10)) {
            field.width = Some(field.width.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize));
            at += 1;
        }
        if field.width.is_some_and(|width| width > MAX_WIDTH) {
            return Err(Error::new(ErrorKind::Unsupported, format!("a date field wider than {MAX_WIDTH}")));
        }
        if letter_at(at).is_some_and(|modifier| matches!(modifier, 'E' | 'O')) {
            at += 1;
        }
        let length = at + letter_at(at).map_or(0, char::len_utf8);
        let written = letter_at(at).map(|letter| self.written(letter, field)).transpose()?.flatten();
        let (Some(letter), Some(written)) = (letter_at(at), written) else {
            if field.width.is_some() {
                let directive = &text[..length];
                return Err(Error::new(ErrorKind::Unsupported, format!("the date directive '{directive}'")));
            }
            out.push_str(&text[..length]);
            return Ok(length);
        };
        let lower = swap && letter == 'p';
        let written = if upper || swap && !lower {
            written.to_uppercase()
        } else if lower {
            written.to_lowercase()
        } else {
            written
        };
        let fill = if field.flag == Some('0') || is_numeric(letter) && !matches!(field.flag, Some('_' | '-')) {
            '0'
        } else {
            ' '
        };
        let missing = field.width.unwrap_or(0).saturating_sub(written.chars().count());
        out.extend(std::iter::repeat_n(fill, missing));
        out.push_str(&written);
        Ok(length)
    }

    /// What a directive stands for; `None` if there is none of that name.
    fn written(&self, letter: char, field: Field) -> Result<Option<String>> {
        let number = |value: i64, width: usize, fill: char| padded(value, width, fill, field);
        let (year, weekday) = (i64::from(self.year), self.weekday());
        let monday_weekday = (weekday as i64 + 6) % 7;
        Ok(Some(match letter {
            'a' => WEEKDAYS[weekday][..3].to_owned(),
            'A' => WEEKDAYS[weekday].to_owned(),
            'b' | 'h' => self.month_name()[..3].to_owned(),
            'B' => self.month_name().to_owned(),
            'c' => self.format("%a %b %e %H:%M:%S %Y")?,
            'C' => number(year.div_euclid(100), 2, '0'),
            'd' => number(self.day.into(), 2, '0'),
            'D' | 'x' => self.format("%m/%d/%y")?,
            'e' => number(self.day.into(), 2, ' '),
            'f' => format!("{:06}", self.microsecond),
            'F' => self.format("%Y-%m-%d")?,
            'g' => number(self.iso_week().0.rem_euclid(100), 2, '0'),
            'G' => number(self.iso_week().0, 1, '0'),
            'H' => number(self.hour.into(), 2, '0'),
            'I' => number(self.hour12(), 2, '0'),
            'j' => number(self.day_of_year(), 3, '0'),
            'k' => number(self.hour.into(), 2, ' '),
            'l' => number(self.hour12(), 2, ' '),
            'm' => number(self.month.into(), 2, '0'),
            'M' => number(self.minute.into(), 2, '0'),
            'n' => "\n".to_owned(),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
            'P' => if self.hour < 12 { "am" } else { "pm" }.to_owned(),
            'r' => self.format("%I:%M:%S %p")?,
            'R' => self.format("%H:%M")?,
            's' => self.unix_seconds().to_string(),
            'S' => number(self.second.into(), 2, '0'),
            't' => "\t".to_owned(),
            'T' | 'X' => self.format("%H:%M:%S")?,
            'u' => number(monday_weekday + 1, 1, '0'),
            'U' => number((self.day_of_year() + 6 - weekday as i64) / 7, 2, '0'),
            'V' => number(self.iso_week().1, 2, '0'),
            'w' => number(weekday as i64, 1, '0'),
            'W' => number((self.day_of_year() + 6 - monday_weekday) / 7, 2, '0'),
            'y' => number(year.rem_euclid(100), 2, '0'),
            'Y' => number(year, 1, '0'),
            'z' | 'Z' => String::new(),
            '%' => "%".to_owned(),
            _ => return Ok(None),
        }))
    }

    fn unix_seconds(&self) -> i64 {
        let time = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        self.days() * 86_400 + time - i64::from(self.utc_offset_seconds)
    }
}

/// Whether a directive is a number, whose width is filled with zeros.
fn is_numeric(letter: char) -> bool {
    !matches!(
        letter,
        'a' | 'A'
            | 'b'
            | 'B'
            | 'h'
            | 'c'
            | 'e'
            | 'k'
            | 'l'
            | 'n'
            | 't'
            | 'p'
            | 'P'
            | 'r'
            | 'D'
            | 'F'
            | 'R'
            | 'T'
            | 'x'
            | 'X'
            | 'Z'
            | '%'
    )
}

fn padded(value: i64, width: usize, fill: char, field: Field) -> String {
    match field.flag {
        Some('-') => value.to_string(),
        Some('_') => format!("{value:width$}"),
        Some('0') => format!("{value:0width$}"),
        _ if fill == '0' => format!("{value:0width$}"),
        _ => format!("{value:width$}"),
    }
}
